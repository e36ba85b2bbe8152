package main

import (
	"context"
	"strconv"
	"strings"

	. "botellier.io/e2e/clients/checks"
	"github.com/redis/go-redis/v9"
)

// The lines of CLIENT LIST, each by its fields.
func clients(ctx context.Context, r *redis.Client) []map[string]string {
	var all []map[string]string
	for _, line := range strings.Split(strings.TrimSpace(Must(r.ClientList(ctx).Result())), "\n") {
		fields := map[string]string{}
		for _, field := range strings.Fields(line) {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = value
		}
		all = append(all, fields)
	}
	return all
}

func parse(number string) (int64, error) { return strconv.ParseInt(number, 10, 64) }

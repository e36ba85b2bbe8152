// go-redis that asks Sentinels who leads.
package main

import (
	"context"
	"os"

	. "botellier.io/e2e/clients/checks"
	"botellier.io/e2e/clients/suite"
	"github.com/redis/go-redis/v9"
)

func main() {
	// By itself the library dials a Sentinel that is gone five times, again and again, before it asks another one.
	r := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName:    os.Getenv("SENTINEL_NAME"),
		SentinelAddrs: Addresses("SENTINELS"),
		DialerRetries: 1,
	})
	checks := suite.All(r)
	if Failover() {
		checks = append(checks, Check{Name: "failover", Do: func(ctx context.Context) { WriteThroughFailover(ctx, r) }})
	}
	Run(checks...)
}

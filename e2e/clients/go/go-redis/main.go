// go-redis over RESP3, through the Service.
package main

import (
	"context"
	"time"

	. "botellier.io/e2e/clients/checks"
	"botellier.io/e2e/clients/suite"
	"github.com/redis/go-redis/v9"
)

func main() {
	r := redis.NewClient(&redis.Options{Addr: Service(), Protocol: 3, MaxRetries: 3})
	checks := append(suite.All(r), Check{Name: "tracking", Do: func(ctx context.Context) { tracking(ctx, r) }})
	if Failover() {
		checks = append(checks, Check{Name: "failover", Do: func(ctx context.Context) { failover(ctx, r) }})
	}
	Run(checks...)
}

// The library leaves the cache to its user: a connection is told to redirect what becomes invalid to a subscriber.
func tracking(ctx context.Context, r *redis.Client) {
	two := redis.NewClient(&redis.Options{Addr: Service(), Protocol: 2})
	defer two.Close()
	subscriber := two.Subscribe(ctx, "__redis__:invalidate")
	defer subscriber.Close()
	Must(subscriber.Receive(ctx))
	var id int64
	for _, line := range clients(ctx, r) {
		if line["sub"] == "1" {
			id = Must(parse(line["id"]))
		}
	}
	connection := r.Conn()
	defer connection.Close()
	Must(connection.Do(ctx, "CLIENT", "TRACKING", "ON", "REDIRECT", id).Result())
	connection.Get(ctx, "tracked")
	Must(r.Set(ctx, "tracked", "new", 0).Result())
	Equal(Must(subscriber.ReceiveMessage(ctx)).PayloadSlice, []string{"tracked"})
}

// A subscription comes back by itself with the connection.
func failover(ctx context.Context, r *redis.Client) {
	subscriber := r.Subscribe(ctx, "after")
	defer subscriber.Close()
	messages := subscriber.Channel()
	WriteThroughFailover(ctx, r)
	Eventually("the subscription", func() bool {
		r.Publish(ctx, "after", "hello")
		select {
		case <-messages:
			return true
		case <-time.After(10 * time.Millisecond):
			return false
		}
	})
}

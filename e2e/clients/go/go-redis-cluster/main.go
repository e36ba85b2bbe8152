// go-redis in Cluster mode: one shard, and its leader holds every slot.
package main

import (
	"context"
	"time"

	. "botellier.io/e2e/clients/checks"
	"botellier.io/e2e/clients/suite"
	"github.com/redis/go-redis/v9"
)

func main() {
	// By itself the library looks only once a minute for who has which slots, unless it is told by -MOVED.
	r := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                      Addresses("NODES"),
		ClusterStateReloadInterval: 100 * time.Millisecond,
	})
	checks := append(suite.All(r), Check{Name: "slots", Do: func(ctx context.Context) { slots(ctx, r) }})
	if Failover() {
		checks = append(checks, Check{Name: "failover", Do: func(ctx context.Context) { WriteThroughFailover(ctx, r) }})
	}
	Run(checks...)
}

func slots(ctx context.Context, r *redis.ClusterClient) {
	Equal(Must(r.ClusterKeySlot(ctx, "foo").Result()), int64(12182))
	shards := Must(r.ClusterShards(ctx).Result())
	Equal(len(shards), 1)
	Equal(shards[0].Slots, []redis.SlotRange{{Start: 0, End: 16383}})
}

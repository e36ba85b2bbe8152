// go-redis in Cluster mode: one shard, and its leader holds every slot.
package main

import (
	"context"

	. "botellier.io/e2e/clients/checks"
	"botellier.io/e2e/clients/suite"
	"github.com/redis/go-redis/v9"
)

func main() {
	r := redis.NewClusterClient(&redis.ClusterOptions{Addrs: Addresses("NODES")})
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

// Package suite is what go-redis is asked to do, whichever way it found its server. All keys of a check share a slot.
package suite

import (
	"context"
	"errors"
	"strings"
	"time"

	. "botellier.io/e2e/clients/checks"
	"github.com/redis/go-redis/v9"
)

// All checks of a client.
func All(r redis.UniversalClient) []Check {
	with := func(do func(context.Context, redis.UniversalClient)) func(context.Context) {
		return func(ctx context.Context) { do(ctx, r) }
	}
	return []Check{
		{"strings", with(texts)}, {"bits", with(bits)}, {"hashes", with(hashes)}, {"lists", with(lists)},
		{"sets", with(sets)}, {"sorted_sets", with(sortedSets)}, {"streams", with(streams)},
		{"pub_sub", with(pubSub)}, {"scripts", with(scripts)}, {"transactions", with(transactions)},
		{"blocking", with(blocking)},
	}
}

func texts(ctx context.Context, r redis.UniversalClient) {
	Equal(Must(r.Set(ctx, "{s}k", "v", time.Minute).Result()), "OK")
	Equal(Must(r.SetNX(ctx, "{s}k", "w", 0).Result()), false)
	Equal(Must(r.IncrBy(ctx, "{s}n", 42).Result()), int64(42))
	Equal(Must(r.MGet(ctx, "{s}k", "{s}none").Result()), []any{"v", nil})
	Equal(Must(r.TTL(ctx, "{s}k").Result()) > 50*time.Second, true)
	Equal(r.Get(ctx, "{s}none").Err(), redis.Nil)
	Equal(Must(r.GetEx(ctx, "{s}n", time.Hour).Result()), "42")
}

func bits(ctx context.Context, r redis.UniversalClient) {
	Equal(Must(r.SetBit(ctx, "{b}a", 7, 1).Result()), int64(0))
	Equal(Must(r.BitCount(ctx, "{b}a", nil).Result()), int64(1))
	Equal(Must(r.BitOpNot(ctx, "{b}b", "{b}a").Result()), int64(1))
	Equal(Must(r.BitField(ctx, "{b}c", "INCRBY", "u8", 0, 300, "GET", "u4", 0).Result()), []int64{44, 2})
	Equal(Must(r.PFAdd(ctx, "{b}h", "a", "b", "c").Result()), int64(1))
	Equal(Must(r.PFCount(ctx, "{b}h").Result()), int64(3))
}

func hashes(ctx context.Context, r redis.UniversalClient) {
	var into struct {
		Name string `redis:"name"`
		Age  int    `redis:"age"`
	}
	Equal(Must(r.HSet(ctx, "h", "name", "Ada", "age", 36).Result()), int64(2))
	True("a scanned hash", r.HGetAll(ctx, "h").Scan(&into) == nil)
	Equal(into.Name, "Ada")
	Equal(Must(r.HIncrBy(ctx, "h", "age", 1).Result()), int64(37))
	Equal(Must(r.HExpire(ctx, "h", time.Minute, "age", "none").Result()), []int64{1, -2})
}

func lists(ctx context.Context, r redis.UniversalClient) {
	Equal(Must(r.RPush(ctx, "{l}a", "a", "b", "c").Result()), int64(3))
	Equal(Must(r.LRange(ctx, "{l}a", 0, -1).Result()), []string{"a", "b", "c"})
	Equal(Must(r.LMove(ctx, "{l}a", "{l}b", "LEFT", "RIGHT").Result()), "a")
	Equal(Must(r.LPopCount(ctx, "{l}a", 5).Result()), []string{"b", "c"})
}

func sets(ctx context.Context, r redis.UniversalClient) {
	Equal(Must(r.SAdd(ctx, "{e}a", 1, 2, 3).Result()), int64(3))
	Equal(Must(r.SAdd(ctx, "{e}b", 3, 4).Result()), int64(2))
	Equal(Must(r.SInter(ctx, "{e}a", "{e}b").Result()), []string{"3"})
	Equal(Must(r.SMIsMember(ctx, "{e}a", 1, 9).Result()), []bool{true, false})
	Equal(Must(r.SUnionStore(ctx, "{e}c", "{e}a", "{e}b").Result()), int64(4))
}

func sortedSets(ctx context.Context, r redis.UniversalClient) {
	Equal(Must(r.ZAdd(ctx, "z", redis.Z{Score: 1, Member: "one"}, redis.Z{Score: 2.5, Member: "two"}).Result()), int64(2))
	Equal(Must(r.ZRangeWithScores(ctx, "z", 0, 0).Result()), []redis.Z{{Score: 1, Member: "one"}})
	by := redis.ZRangeArgs{Key: "z", Start: "(1", Stop: "+inf", ByScore: true}
	Equal(Must(r.ZRangeArgs(ctx, by).Result()), []string{"two"})
	Equal(Must(r.ZIncrBy(ctx, "z", 10, "one").Result()), 11.0)
	Equal(Must(r.ZPopMax(ctx, "z").Result()), []redis.Z{{Score: 11, Member: "one"}})
	Must(r.GeoAdd(ctx, "g", &redis.GeoLocation{Name: "Palermo", Longitude: 13.361389, Latitude: 38.115556}).Result())
	query := &redis.GeoSearchQuery{Longitude: 13, Latitude: 38, Radius: 100, RadiusUnit: "km"}
	Equal(Must(r.GeoSearch(ctx, "g", query).Result()), []string{"Palermo"})
}

func streams(ctx context.Context, r redis.UniversalClient) {
	first := Must(r.XAdd(ctx, &redis.XAddArgs{Stream: "x", Values: []string{"n", "0"}}).Result())
	Must(r.XAdd(ctx, &redis.XAddArgs{Stream: "x", Values: []string{"n", "1"}}).Result())
	Equal(Must(r.XRangeN(ctx, "x", "-", "+", 1).Result())[0].Values, map[string]any{"n": "0"})
	Equal(Must(r.XGroupCreate(ctx, "x", "g", "0").Result()), "OK")
	group := &redis.XReadGroupArgs{Group: "g", Consumer: "me", Streams: []string{"x", ">"}, Count: 1}
	Equal(Must(r.XReadGroup(ctx, group).Result())[0].Messages[0].ID, first)
	Equal(Must(r.XPending(ctx, "x", "g").Result()).Count, int64(1))
	claim := &redis.XAutoClaimArgs{Stream: "x", Group: "g", Start: "0", Consumer: "you"}
	claimed, _, err := r.XAutoClaim(ctx, claim).Result()
	True("the entry is claimed", err == nil && len(claimed) == 1 && claimed[0].ID == first)
	Equal(Must(r.XAck(ctx, "x", "g", first).Result()), int64(1))
	Equal(Must(r.XInfoGroups(ctx, "x").Result())[0].Lag, int64(1))
	Must(r.XInfoStreamFull(ctx, "x", 10).Result())
}

func pubSub(ctx context.Context, r redis.UniversalClient) {
	subscriber := r.Subscribe(ctx, "news")
	defer subscriber.Close()
	Must(subscriber.Receive(ctx))
	True("a pattern", subscriber.PSubscribe(ctx, "n?ws.*") == nil)
	Must(subscriber.Receive(ctx))
	Equal(Must(r.Publish(ctx, "news", "one").Result()), int64(1))
	Equal(Must(r.Publish(ctx, "news.at", "two").Result()), int64(1))
	Equal(Must(subscriber.ReceiveMessage(ctx)).Payload, "one")
	Equal(Must(subscriber.ReceiveMessage(ctx)).Pattern, "n?ws.*")
}

func scripts(ctx context.Context, r redis.UniversalClient) {
	add := redis.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
	Equal(Must(add.Run(ctx, r, []string{"script"}, 20).Int()), 20)
	Equal(Must(add.Run(ctx, r, []string{"script"}, 22).Int()), 42)
	Equal(Must(r.Eval(ctx, "return {1, 'two', {3}, false}", nil).Result()), []any{int64(1), "two", []any{int64(3)}, nil})
	library := "#!lua name=lib\nredis.register_function('half', function(k, a) return a[1] / 2 end)"
	Equal(Must(r.FunctionLoadReplace(ctx, library).Result()), "lib")
	Equal(Must(r.FCall(ctx, "half", []string{"k"}, 84).Int()), 42)
}

func transactions(ctx context.Context, r redis.UniversalClient) {
	var got *redis.StringCmd
	Must(r.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, "{t}a", 1, 0)
		pipe.Incr(ctx, "{t}a")
		got = pipe.Get(ctx, "{t}a")
		return nil
	}))
	Equal(got.Val(), "2")
	err := r.Watch(ctx, func(tx *redis.Tx) error {
		Must(r.Set(ctx, "{t}a", 10, 0).Result())
		_, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error { return pipe.Incr(ctx, "{t}a").Err() })
		return err
	}, "{t}a")
	True("a watched key had changed", errors.Is(err, redis.TxFailedErr))
}

func blocking(ctx context.Context, r redis.UniversalClient) {
	for _, pair := range []struct {
		wait  func() (any, error)
		serve func() error
	}{
		{
			func() (any, error) { return r.BLPop(ctx, 10*time.Second, "{q}a", "{q}b").Result() },
			func() error { return r.RPush(ctx, "{q}b", "x").Err() },
		},
		{
			func() (any, error) { return r.BZPopMin(ctx, 10*time.Second, "{q}z").Result() },
			func() error { return r.ZAdd(ctx, "{q}z", redis.Z{Score: 1, Member: "x"}).Err() },
		},
		{
			func() (any, error) {
				return r.XRead(ctx, &redis.XReadArgs{Streams: []string{"{q}x", "0"}, Block: 10 * time.Second}).Result()
			},
			func() error { return r.XAdd(ctx, &redis.XAddArgs{Stream: "{q}x", Values: []string{"f", "x"}}).Err() },
		},
	} {
		answer := make(chan error)
		go func() {
			_, err := pair.wait()
			answer <- err
		}()
		time.Sleep(50 * time.Millisecond)
		True("served", pair.serve() == nil)
		if err := <-answer; err != nil {
			panic(err)
		}
	}
	err := r.BLPop(ctx, 100*time.Millisecond, "{q}none").Err()
	True("a timeout gives nothing", err == redis.Nil || strings.Contains(err.Error(), "timeout"))
}

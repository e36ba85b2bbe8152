// Package checks is what the programs in Go share: one line for each check, and what is asked of a client while the
// leader dies.
package checks

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	writing  = 6 * time.Second
	patience = 30 * time.Second
)

// Service is the address that leads to the leader.
func Service() string { return os.Getenv("REDIS_HOST") + ":" + os.Getenv("REDIS_PORT") }

// Addresses is a list of the environment.
func Addresses(name string) []string { return strings.Split(os.Getenv(name), ",") }

// A Check is one thing that passes or panics.
type Check struct {
	Name string
	Do   func(context.Context)
}

// Run all, say what came of each, and end the process.
func Run(checks ...Check) {
	failures := 0
	for _, check := range checks {
		if why := attempt(check.Do); why != nil {
			failures++
			fmt.Printf("not ok %s: %s\n", check.Name, strings.ReplaceAll(fmt.Sprint(why), "\n", " "))
		} else {
			fmt.Println("ok " + check.Name)
		}
	}
	if failures > 0 {
		os.Exit(1)
	}
	os.Exit(0)
}

func attempt(do func(context.Context)) (why any) {
	defer func() { why = recover() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	do(ctx)
	return nil
}

// Equal panics when got is not what was wanted.
func Equal(got, wanted any) {
	if !reflect.DeepEqual(got, wanted) {
		panic(fmt.Sprintf("%#v instead of %#v", got, wanted))
	}
}

// True panics with what it should have been.
func True(what string, holds bool) {
	if !holds {
		panic(what)
	}
}

// Must gives the value, and panics with the error.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Eventually waits for a condition.
func Eventually(what string, condition func() bool) {
	for until := time.Now().Add(10 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			panic("waited in vain for " + what)
		}
	}
}

// Failover is whether this run has one.
func Failover() bool { return os.Getenv("FAILOVER") != "" }

// WriteThroughFailover writes on while the leader dies; nothing that was acknowledged is missing.
func WriteThroughFailover(ctx context.Context, client redis.Cmdable) {
	fmt.Println("failover")
	began, last := time.Now(), time.Now()
	var acknowledged []string
	var gap time.Duration
	var refused error
	for turn := 1; time.Since(began) < writing || time.Since(last) > time.Second; turn++ {
		True(fmt.Sprintf("no write for %v: %v", patience, refused), time.Since(last) < patience)
		key := fmt.Sprintf("failover:%d", turn)
		if refused = client.Set(ctx, key, key, 0).Err(); refused != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		acknowledged = append(acknowledged, key)
		gap, last = max(gap, time.Since(last)), time.Now()
	}
	fmt.Printf("gap %d\n", gap.Milliseconds())
	for _, key := range acknowledged {
		value, err := client.Get(ctx, key).Result()
		True(fmt.Sprintf("%s, acknowledged, is %q (%v)", key, value, err), value == key)
	}
}

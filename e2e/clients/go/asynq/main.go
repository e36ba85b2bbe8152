// asynq: a queue of tasks in Lua, with retries, schedules, unique tasks and results.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	. "botellier.io/e2e/clients/checks"
	"github.com/hibiken/asynq"
)

var done, stumbles atomic.Int64

func work(_ context.Context, task *asynq.Task) error {
	if task.Type() == "stumble" && stumbles.Add(1) < 3 {
		return errors.New("not yet")
	}
	if writer := task.ResultWriter(); writer != nil {
		if _, err := fmt.Fprintf(writer, "done %s", task.Payload()); err != nil {
			return err
		}
	}
	done.Add(1)
	return nil
}

func main() {
	address := asynq.RedisClientOpt{Addr: Service()}
	client, inspector := asynq.NewClient(address), asynq.NewInspector(address)
	server := asynq.NewServer(address, asynq.Config{
		Concurrency:              4,
		LogLevel:                 asynq.FatalLevel,
		TaskCheckInterval:        100 * time.Millisecond,
		DelayedTaskCheckInterval: 100 * time.Millisecond,
		RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return 50 * time.Millisecond },
	})
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err := server.Start(asynq.HandlerFunc(work)); err != nil {
		panic(err)
	}
	Run(
		Check{Name: "tasks", Do: func(context.Context) {
			for turn := range 50 {
				Must(client.Enqueue(asynq.NewTask("plain", []byte{byte(turn)})))
			}
			Eventually("fifty tasks", func() bool { return done.Load() == 50 })
		}},
		Check{Name: "results", Do: func(context.Context) {
			info := Must(client.Enqueue(asynq.NewTask("plain", []byte("it")), asynq.Retention(time.Hour)))
			Eventually("a result", func() bool {
				return string(Must(inspector.GetTaskInfo("default", info.ID)).Result) == "done it"
			})
		}},
		Check{Name: "retries", Do: func(context.Context) {
			Must(client.Enqueue(asynq.NewTask("stumble", nil), asynq.MaxRetry(5)))
			Eventually("the third try", func() bool { return stumbles.Load() == 3 })
		}},
		Check{Name: "schedules", Do: func(context.Context) {
			before := done.Load()
			Must(client.Enqueue(asynq.NewTask("late", nil), asynq.ProcessIn(time.Second)))
			Equal(done.Load(), before)
			Eventually("the late task", func() bool { return done.Load() == before+1 })
		}},
		Check{Name: "unique", Do: func(context.Context) {
			late, once := asynq.ProcessIn(time.Hour), asynq.Unique(time.Hour)
			Must(client.Enqueue(asynq.NewTask("once", nil), late, once))
			_, err := client.Enqueue(asynq.NewTask("once", nil), late, once)
			True("a task of its kind is there", errors.Is(err, asynq.ErrDuplicateTask))
			Equal(Must(inspector.GetQueueInfo("default")).Scheduled, 1)
		}},
	)
}

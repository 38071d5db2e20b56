// Sides plays seeded programs of jobs and faults on lro, River and Temporal, and
// counts what each loses and repeats.
//
//	go run ./sides -seeds 1-20
//	go run ./sides -seeds 7 -only River -v     one program, with its journal
//
// It prints a table, and writes side-by-side.json into the folder of -out.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	log.SetFlags(log.Ltime)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	cancel()
	if err != nil {
		log.Fatal(err)
	}
}

func command(ctx context.Context, arguments []string) error {
	if text := os.Getenv(workerEnv); text != "" {
		return serveWorker(ctx, text)
	}
	set := flag.NewFlagSet("sides", flag.ContinueOnError)
	seeds := set.String("seeds", "1-20", "the programs, FROM-TO or one")
	only := set.String("only", "", "these systems alone, by their names, separated by semicolons")
	lanes := set.Int("lanes", 6, "programs at once")
	out := set.String("out", "", "write side-by-side.json into this folder")
	verbose := set.Bool("v", false, "print the journals")
	if err := set.Parse(arguments); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	from, to, err := parseSeeds(*seeds)
	if err != nil {
		return err
	}
	r := newResult(ctx, *seeds)
	err = r.play(ctx, chosen, from, to, *lanes, *verbose)
	fmt.Print(r.text())
	if err != nil || *out == "" {
		return err
	}
	return r.write(*out)
}

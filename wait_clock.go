package lro

import (
	"bytes"
	"runtime"
	"time"
)

// epoch is what clock counts from.
var epoch = time.Now()

// years is longer than any program runs.
const years = 10 * 365 * 24 * time.Hour

// clock returns the time by which waits are scheduled, which is more than 0. It is
// monotonic: setting the system's clock does not change it. In a bubble of
// testing/synctest, whose time begins in the year 2000, it is years behind.
func clock() time.Duration { return 10*years + time.Since(epoch) }

// elapsedSince returns the time from t to now, both by clock; 0 if t was taken in
// another bubble of testing/synctest.
func elapsedSince(t, now time.Duration) time.Duration {
	if d := now - t; d >= 0 && d < years {
		return d
	}
	return 0
}

// realTime is a time, in Unix seconds, that no real clock shows any more. Time
// in bubbles of testing/synctest begins at the year 2000.
const realTime = 1577836800 // 2020

// bubble returns the bubble of testing/synctest that the caller runs in, and an
// empty string outside. The runtime ends the process when a goroutine of one
// bubble is woken from another, so each has schedulers of its own. Only the first
// line of a stack distinguishes bubbles: "goroutine 24 [running, synctest bubble
// 1]:".
func bubble() string {
	if time.Now().Unix() >= realTime {
		return ""
	}
	buf := make([]byte, 96)
	line, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte("]"))
	if _, id, ok := bytes.Cut(line, []byte("synctest bubble ")); ok {
		return string(id)
	}
	return ""
}

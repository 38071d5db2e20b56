// Package host describes the machine that a benchmark runs on, and how busy it is.
// It needs Linux, whose /proc tells.
package host

// Package killdemo kills one of the workers that run operations and shows what
// became of each operation. The engines for more than one process have a program
// each that starts the processes: make demo-postgres and make demo-temporal.
package killdemo

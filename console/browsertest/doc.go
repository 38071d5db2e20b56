// Package browsertest has tests alone: they use the console as a person does,
// in a headless Chromium. They are a module of their own, so that using the
// console, or running the other tests, needs no browser driver.
//
//	make test-console                     # installs Chromium where apt can
//	go test ./... -run TestName -v        # in this folder
//	go test -run Screenshots -update      # takes the pictures in docs anew
//
// Without Chromium the tests are skipped and say so, and fail if the
// environment has CI=true. LRO_CHROMIUM names another browser to run.
package browsertest

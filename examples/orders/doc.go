// Command orders places orders in a PostgreSQL database and ships them. An order
// and the operation that ships it are started in one transaction; what the
// shipping changes and the end of the operation are another one.
//
//	export DATABASE_URL=postgres://user:password@host/database
//	go run ./examples/orders &
//	curl --data book http://127.0.0.1:8720/orders
//	go run ./cmd/lro wait --addr 127.0.0.1:8721 --plaintext operations/…
package main

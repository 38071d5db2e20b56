// The Node columns of the matrix: google-gax's operations and its client, over
// gRPC and over REST, which it calls fallback.
//
//     main.js CLIENT ADDR LIBRARY-ADDR PARENT SCENARIO...
//
// prints a line of JSON for each scenario.
'use strict';

const gax = require('google-gax');
const connect = require('./connect');
const Futures = require('./futures');
const Client = require('./client');

const clients = {
  'Operation-grpc': (...args) => new Futures(connect.grpc(...args)),
  'Operation-rest': (...args) => new Futures(connect.rest(...args)),
  'OperationsClient-grpc': (...args) => new Client(connect.grpc(...args)),
  'OperationsClient-rest': (...args) => new Client(connect.rest(...args)),
};

async function main([name, addr, libraryAddr, parent, ...scenarios]) {
  const client = clients[name](addr, libraryAddr, parent);
  const versions = `Node ${process.versions.node}, google-gax ${gax.version}`;
  console.log(JSON.stringify({versions}));
  for (const scenario of scenarios) {
    const line = {scenario};
    try {
      await client[scenario]();
      line.ok = true;
    } catch (err) {
      line.error = String(err);
    }
    console.log(JSON.stringify(line));
  }
  process.exit(); // the connections would keep it alive
}

main(process.argv.slice(2));

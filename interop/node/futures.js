// google-gax's Operation, which generated methods return.
'use strict';

const assert = require('node:assert/strict');
const check = require('./check');
const {root} = require('./connect');

class Futures {
  constructor(session) {
    this.session = session;
    this.descriptor = this.describe(session.operations, check.SimulateResponse, check.Metadata);
  }

  describe(operations, response, metadata) {
    return new this.session.gax.LongrunningDescriptor(
      operations,
      response.decode.bind(response),
      metadata.decode.bind(metadata),
    );
  }

  // wrap makes an Operation.
  wrap(operation, descriptor = this.descriptor) {
    const backoff = {
      initialRetryDelayMillis: check.pollEvery,
      retryDelayMultiplier: 1,
      maxRetryDelayMillis: check.pollEvery,
    };
    return this.session.gax.operation(operation, descriptor, backoff);
  }

  async simulate(seconds, fields) {
    const request = check.simulate(this.session.parent, seconds, fields);
    return this.session.startOperation(request);
  }

  async start() {
    const started = await this.simulate(60);
    check.started(started, this.session.parent);
    const operation = this.wrap(started);
    assert.equal(operation.name, started.name);
    check.metadata(operation.metadata);
  }

  async success() {
    const operation = this.wrap(await this.simulate(1, {echo: 'hello'}));
    const [response] = await operation.promise();
    check.echo(response);
  }

  async metadata() {
    const operation = this.wrap(await this.simulate(4, {steps: 40}));
    const seen = [];
    operation.on('progress', metadata => seen.push(metadata));
    const [, last] = await operation.promise();
    check.progress([...seen, last]);
  }

  async failure() {
    const operation = this.wrap(await this.simulate(1, {error: check.quota}));
    const err = await rejection(operation.promise());
    assert.equal(err.code, check.quota.code);
    assert.equal(err.message, check.quota.message);
    assert.ok(err.statusDetails, 'the error has no details');
    check.errorInfo(err.statusDetails[0]);
  }

  async cancel() {
    const operation = this.wrap(await this.simulate(3600));
    await operation.cancel();
    const err = await rejection(operation.promise());
    assert.equal(err.code, 1); // CANCELLED
  }

  async unknown() {
    const name = check.below(this.session.parent, 'operations/none');
    const err = await rejection(this.wrap({name}).promise());
    assert.equal(err.code, 5); // NOT_FOUND
  }

  async library() {
    const {exportBooks, libraryOperations} = this.session;
    const Response = root.lookupType('example.library.v1.ExportBooksResponse');
    const Metadata = root.lookupType('example.library.v1.ExportBooksMetadata');
    const operation = this.wrap(
      await exportBooks({parent: 'publishers/acme'}),
      this.describe(libraryOperations, Response, Metadata),
    );
    const [response, metadata] = await operation.promise();
    assert.equal(Number(response.books), 500);
    assert.equal(Number(metadata.booksTotal), 500);
    assert.equal(metadata.parent, 'publishers/acme');
  }
}

// rejection returns what a promise is rejected with.
async function rejection(promise) {
  let result;
  try {
    result = await promise;
  } catch (err) {
    return err;
  }
  throw new Error(`got ${JSON.stringify(result)}, want an error`);
}

module.exports = Futures;

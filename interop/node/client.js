// google-gax's OperationsClient.
'use strict';

const assert = require('node:assert/strict');
const {setTimeout: sleep} = require('node:timers/promises');
const check = require('./check');

const listed = 'projects/listed';

class Client {
  constructor(session) {
    this.session = session;
    this.operations = session.operations;
  }

  async simulate(seconds, fields, parent = this.session.parent) {
    const request = check.simulate(parent, seconds, fields);
    return this.session.startOperation(request);
  }

  async poll(name) {
    for (;;) {
      const [operation] = await this.operations.getOperation({name});
      if (operation.done) {
        return operation;
      }
      await sleep(check.pollEvery);
    }
  }

  async finish(seconds, fields) {
    const {name} = await this.simulate(seconds, fields);
    return this.poll(name);
  }

  async isUnknown(name) {
    await assert.rejects(
      this.operations.getOperation({name}),
      err => err.code === 5, // NOT_FOUND
    );
  }

  async start() {
    const {name} = await this.simulate(60);
    const [operation] = await this.operations.getOperation({name});
    check.started(operation, this.session.parent);
  }

  async success() {
    const {response} = await this.finish(1, {echo: 'hello'});
    check.echo(check.SimulateResponse.decode(response.value));
  }

  async failure() {
    const {error} = await this.finish(1, {error: check.quota});
    assert.equal(error.code, check.quota.code);
    assert.equal(error.message, check.quota.message);
    assert.equal(error.details[0].type_url, 'type.googleapis.com/google.rpc.ErrorInfo');
    check.errorInfo(check.ErrorInfo.decode(error.details[0].value));
  }

  async cancel() {
    const {name} = await this.simulate(3600);
    await this.operations.cancelOperation({name});
    const {error} = await this.poll(name);
    assert.equal(error?.code, 1); // CANCELLED
  }

  async delete() {
    const {name} = await this.finish(0);
    await this.operations.deleteOperation({name});
    await this.isUnknown(name);
  }

  async unknown() {
    await this.isUnknown(check.below(this.session.parent, 'operations/none'));
  }

  async list() {
    const running = await this.startListed(2, 3600);
    const done = await this.startListed(60, 0);
    for (const name of done) {
      await this.poll(name);
    }
    check.names(await this.listAll('done = true'), done);
    check.names(await this.listAll('done = false'), running);

    // One page at a time.
    const seen = [];
    const request = {name: listed, filter: 'done = true', pageSize: 25};
    for (let pages = 0; ; pages++) {
      const [page, next] = await this.operations.listOperations(request, {autoPaginate: false});
      seen.push(...page);
      if (!next) {
        assert.equal(pages, 2);
        break;
      }
      request.pageToken = next.pageToken;
    }
    check.names(seen, done);
  }

  async startListed(count, seconds) {
    const names = [];
    while (names.length < count) {
      names.push((await this.simulate(seconds, {}, listed)).name);
    }
    return names;
  }

  async listAll(filter) {
    const operations = [];
    const request = {name: listed, filter, pageSize: 25};
    for await (const operation of this.operations.listOperationsAsync(request, {autoPaginate: false})) {
      operations.push(operation);
    }
    return operations;
  }
}

module.exports = Client;

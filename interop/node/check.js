// What the scenarios start, and what they check, whatever the client.
'use strict';

const assert = require('node:assert/strict');
const {root} = require('./connect');

const Metadata = root.lookupType('lro.v1.OperationMetadata');
const SimulateRequest = root.lookupType('lro.v1.SimulateRequest');
const SimulateResponse = root.lookupType('lro.v1.SimulateResponse');
const ErrorInfo = root.lookupType('google.rpc.ErrorInfo');
const State = Metadata.getEnum('State');

const pollEvery = 100; // milliseconds

const quota = {
  code: 8, // RESOURCE_EXHAUSTED
  message: 'no quota left',
  details: [
    pack(ErrorInfo, {reason: 'QUOTA', domain: 'lro.example', metadata: {limit: '7'}}),
  ],
};

function pack(type, fields) {
  return {
    type_url: 'type.googleapis.com/' + type.fullName.slice(1), // it has a dot in front
    value: type.encode(type.fromObject(fields)).finish(),
  };
}

// simulate returns a request for an operation that takes so many seconds.
function simulate(parent, seconds, fields = {}) {
  const request = {duration: {seconds}, ...fields};
  return {parent, kind: 'simulate', request: pack(SimulateRequest, request)};
}

function started(operation, parent) {
  const prefix = below(parent, 'operations/');
  assert.ok(operation.name.startsWith(prefix), `${operation.name}, want ${prefix}...`);
  assert.ok(!operation.done, 'is done');
  metadata(Metadata.decode(operation.metadata.value));
}

function metadata(md) {
  assert.equal(md.verb, 'simulate');
  assert.ok(md.createTime, 'no create_time');
}

function echo(response) {
  assert.equal(response.echo, 'hello');
  assert.equal(response.attempts, 1);
}

// progress checks metadata in the order in which the client showed them.
function progress(seen) {
  const working = md =>
    md.state === State.RUNNING && md.progressPercent > 0 && md.progressPercent < 100;
  assert.ok(seen.some(working), `no metadata on the way in ${JSON.stringify(seen)}`);
  const last = seen.at(-1);
  assert.equal(last.state, State.SUCCEEDED);
  assert.equal(last.progressPercent, 100);
}

function errorInfo(info) {
  assert.equal(info.reason, 'QUOTA');
  assert.equal(info.metadata.limit, '7');
}

function names(operations, want) {
  assert.deepEqual(operations.map(op => op.name).sort(), [...want].sort());
}

function below(parent, name) {
  return parent ? `${parent}/${name}` : name;
}

module.exports = {
  Metadata, SimulateResponse, ErrorInfo, pollEvery, quota, simulate, below,
  started, metadata, echo, progress, errorInfo, names,
};

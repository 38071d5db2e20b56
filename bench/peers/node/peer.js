// Waits with google-gax; ../gopeer/doc.go tells the flags and the output. The
// one variant is Operation.promise() for each operation.
'use strict';

const {parseArgs} = require('node:util');
const {setTimeout: sleep} = require('node:timers/promises');
const gax = require('google-gax');

const CALLS = 200; // in each round of mode poll

const text = {type: 'string', default: ''};
const number = {type: 'string', default: '0'};
const {values: flags} = parseArgs({
  // parseArgs wants --flag, the other peers take -flag.
  args: process.argv.slice(2).map(a => (/^-[a-z]+$/.test(a) ? '-' + a : a)),
  options: {target: text, client: text, mode: {type: 'string', default: 'wait'}, spec: text, names: text, n: number, spread: number, deadline: number},
});
const n = Number(flags.n);

const {google} = gax.operationsProtos;
const sslCreds = gax.grpc.credentials.createInsecure();
const [servicePath, port] = flags.target.split(':');
const operationsClient = gax.lro().operationsClient({servicePath, port: Number(port), sslCreds});
const channel = new gax.grpc.Client(flags.target, sslCreds);

function call(path, request, decode) {
  return new Promise((resolve, reject) => {
    const bytes = b => Buffer.from(b);
    channel.makeUnaryRequest(path, bytes, decode, request, (err, value) => (err ? reject(err) : resolve(value)));
  });
}

// google.protobuf.StringValue and BytesValue, as generated code has them.
const wrappers = gax.protobuf.Root.fromJSON({
  nested: {
    StringValue: {fields: {value: {type: 'string', id: 1}}},
    BytesValue: {fields: {value: {type: 'bytes', id: 1}}},
  },
});
const StringValue = wrappers.lookupType('StringValue');
const BytesValue = wrappers.lookupType('BytesValue');
const descriptor = new gax.LongrunningDescriptor(
  operationsClient,
  StringValue.decode.bind(StringValue),
  BytesValue.decode.bind(BytesValue),
);

const future = started => gax.operation(started, descriptor, gax.createDefaultBackoffSettings(), {});

function emit(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

async function wait(started) {
  try {
    const [response] = await future(started).promise();
    emit({name: started.name, at: Number(process.hrtime.bigint()), response: response.value});
  } catch (e) {
    emit({name: started.name, at: Number(process.hrtime.bigint()), error: String(e)});
  }
}

async function waitForAll() {
  const begin = performance.now();
  const waiting = [];
  for (let i = 0; i < n; i++) {
    await sleep(Math.max(0, begin + (Number(flags.spread) * 1000 * i) / n - performance.now()));
    const request = StringValue.encode({value: `${flags.spec}&index=${i}`}).finish();
    const started = await call('/bench.Scripted/Start', request, b => google.longrunning.Operation.decode(b));
    waiting.push(wait(started));
  }
  emit({ready: n});
  await Promise.all(waiting);
}

const named = i => google.longrunning.Operation.create({name: flags.names.replace('{}', i)});

async function hold() {
  const waiting = [];
  for (let i = 0; i < n; i++) {
    waiting.push(wait(named(i)));
  }
  emit({ready: n});
  await Promise.all(waiting);
}

async function poll() {
  const {name} = named(0);
  const asked = future(named(0));
  const encode = () => google.longrunning.GetOperationRequest.encode({name}).finish();
  const bare = () => call('/google.longrunning.Operations/GetOperation', encode(), b => google.longrunning.Operation.decode(b));
  const took = {stub: [], poll: [], control: []};
  for (let i = 0; i < n + 1; i++) {
    for (const [kind, ask] of [['stub', bare], ['poll', () => asked.getOperation()], ['control', bare]]) {
      const begin = process.hrtime.bigint();
      for (let j = 0; j < CALLS; j++) {
        await ask();
      }
      if (i > 0) { // the first one connects
        took[kind].push(Number(process.hrtime.bigint() - begin) / CALLS);
      }
    }
  }
  emit(took);
}

process.stdin.resume().on('end', () => process.exit());
const modes = {wait: waitForAll, hold, poll};
modes[flags.mode]().then(
  () => process.stdout.write('', () => process.exit()),
  e => {
    console.error(e);
    process.exit(1);
  },
);

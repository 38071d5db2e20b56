// Connections in the way of generated clients.
'use strict';

const path = require('node:path');
const gax = require('google-gax');
const fallback = require('google-gax/fallback');

const protoDir = path.join(__dirname, '../../proto');

const root = new gax.GoogleProtoFilesRoot();
root.loadSync([
  path.join(protoDir, 'lro/v1/metadata.proto'),
  path.join(protoDir, 'lro/v1/kinds.proto'),
  path.join(protoDir, 'lro/v1/starter.proto'),
  path.join(protoDir, 'example/library/v1/library.proto'),
  'google/rpc/error_details.proto',
]);
root.resolveAll();

// Where the operations are, as a service's configuration has it.
const httpRules = [
  {
    selector: 'google.longrunning.Operations.GetOperation',
    get: '/v1/{name=**/operations/*}',
  },
  {
    selector: 'google.longrunning.Operations.ListOperations',
    get: '/v1/{name=**}/operations',
  },
  {
    selector: 'google.longrunning.Operations.CancelOperation',
    post: '/v1/{name=**/operations/*}:cancel',
    body: '*',
  },
  {
    selector: 'google.longrunning.Operations.DeleteOperation',
    delete: '/v1/{name=**/operations/*}',
  },
];

// The server requires no credentials.
const auth = new gax.GoogleAuth({authClient: new gax.googleAuthLibrary.PassThroughClient()});

// method returns a function that calls a method of a service.
function method(client, service, serviceName, methodName, options) {
  const config = {retry_codes: {}, retry_params: {}, methods: {[methodName]: {timeout_millis: 60_000}}};
  const settings = client.constructSettings(serviceName, {interfaces: {[serviceName]: config}}, {}, {});
  const name = methodName[0].toLowerCase() + methodName.slice(1);
  const func = client.createStub(service, options).then(stub => stub[name].bind(stub));
  const call = gax.createApiCall(func, settings[name], undefined, options.fallback);
  return async request => (await call(request))[0];
}

// grpc returns a session that talks gRPC.
function grpc(addr, libraryAddr, parent) {
  const gaxGrpc = new gax.GrpcClient({auth});
  const loaded = gaxGrpc.loadProtoJSON(root.toJSON({keepComments: false}));
  const sslCreds = gaxGrpc.grpc.credentials.createInsecure();
  const options = address => {
    const [servicePath, port] = address.split(':');
    return {servicePath, port: Number(port), sslCreds};
  };
  const lro = gax.lro({auth, grpc: gaxGrpc.grpc});
  return {
    gax,
    parent,
    startOperation: method(gaxGrpc, loaded.lro.v1.Starter, 'lro.v1.Starter', 'StartOperation', options(addr)),
    operations: lro.operationsClient(options(addr)),
    exportBooks: method(gaxGrpc, loaded.example.library.v1.Library, 'example.library.v1.Library', 'ExportBooks', options(libraryAddr)),
    libraryOperations: lro.operationsClient(options(libraryAddr)),
  };
}

// rest returns a session that talks HTTP/JSON.
function rest(addr, libraryAddr, parent) {
  const [servicePath, port] = addr.split(':');
  const options = {servicePath, port: Number(port), protocol: 'http', fallback: true};
  const gaxGrpc = new fallback.GrpcClient({auth, fallback: true});
  const lro = fallback.lro({auth, fallback: true, protoJson: root, httpRules});
  return {
    gax: fallback,
    parent,
    startOperation: method(gaxGrpc, root.lookupService('lro.v1.Starter'), 'lro.v1.Starter', 'StartOperation', options),
    operations: lro.operationsClient(options),
  };
}

module.exports = {root, grpc, rest};

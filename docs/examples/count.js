// Gets a token and counts three requests: count.js [HOST:PORT]
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const address = process.argv[2] ?? '127.0.0.1:6381';
const proto = path.join(__dirname, '../../proto/manager_rpc.proto');
const { manager_rpc } = grpc.loadPackageDefinition(protoLoader.loadSync(proto));

// Proxies of the environment are for the web.
const counter = new manager_rpc.CounterService(address, grpc.credentials.createInsecure(), {
  'grpc.enable_http_proxy': 0,
});

function call(method, request) {
  return new Promise((resolve, reject) => {
    const done = (error, answer) => (error ? reject(error) : resolve(answer));
    counter[method](request, { deadline: Date.now() + 2000 }, done);
  });
}

async function main() {
  const { token } = await call('NewToken', {});
  console.log('token', token);
  for (let i = 0; i < 3; ++i) {
    const answer = await call('UpdateCounter', { token, path: '/my/path' });
    // int64: a Long, or a string or a number if the loader is told so.
    console.log('count', answer.success ? answer.counter.toString() : 'none: the token is unknown');
  }
}

main()
  .catch((error) => {
    console.error(`${grpc.status[error.code]}: ${error.details}`);
    process.exitCode = 1;
  })
  .finally(() => counter.close());

// Asks a counter what gRPC's rules demand of a server, by gRPC's own library for Node.js. One line for each check.
//
// main.js rules ADDRESS            all but the end
// main.js end ADDRESS PID FILE     ends the counter, which is process PID, while calls run; FILE tells what they got
// main.js ended ADDRESS FILE       the same counts, served again: are they what FILE allows?
const fs = require('node:fs');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const { Relay } = require('./relay');

const patience = 30_000; // ms
const publicService = 'manager_rpc.CounterService';
const updateCounter = `/${publicService}/UpdateCounter`;
const notCounted = 'nothing was counted';
const code = grpc.status;

const protos = ['../../../proto', '../proto'].map((directory) => path.join(__dirname, directory));
const described = protoLoader.loadSync(['manager_rpc.proto', 'health.proto', 'reflection.proto'], {
  includeDirs: protos,
  keepCase: true,
  defaults: true,
  enums: String,
  longs: Number,
  oneofs: true,
});
const { manager_rpc: manager, grpc: grpcs } = grpc.loadPackageDefinition(described);

// One channel, which has a connection of its own. Proxies of the environment are for the web.
class Client {
  constructor(port, options = {}) {
    const own = { 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1, ...options };
    const where = [`127.0.0.1:${port}`, grpc.credentials.createInsecure()];
    this.counter = new manager.CounterService(...where, own);
    // The others share its connection.
    const sharing = { ...own, channelOverride: this.counter.getChannel() };
    this.health = new grpcs.health.v1.Health(...where, sharing);
    this.plain = new grpc.Client(...where, sharing);
  }

  // A call that was started: cancel() ends it, and `outcome` is [code, message, answer] when it is over.
  start(service, method, request, { metadata = new grpc.Metadata(), timeout = patience } = {}) {
    const started = {};
    started.outcome = inTime(
      new Promise((resolve) => {
        const done = (error, answer) =>
          resolve(error ? [error.code, error.details] : [code.OK, '', answer]);
        const options = { deadline: Date.now() + timeout };
        started.cancel = () => call.cancel();
        const call = service[method](request, metadata, options, done);
      }),
      'a call ends',
    );
    return started;
  }

  async call(...what) {
    const [status, message, answer] = await this.start(...what).outcome;
    expect(status === code.OK, `${code[status]}: ${message}`);
    return answer;
  }

  async mint() {
    return (await this.call(this.counter, 'NewToken', {})).token;
  }

  startUpdate(token, where = '/p', options = {}) {
    return this.start(this.counter, 'UpdateCounter', { token, path: where }, options);
  }

  async count(token, where = '/p', options = {}) {
    const answer = await this.call(this.counter, 'UpdateCounter', { token, path: where }, options);
    expect(answer.success, 'the token is unknown');
    return answer.counter;
  }

  // Of bytes, whatever they mean.
  startBytes(method, bytes) {
    const same = (value) => value;
    const service = {
      call: (request, ...rest) => this.plain.makeUnaryRequest(method, same, same, request, ...rest),
    };
    return this.start(service, 'call', bytes);
  }

  // A Watch, and its first answer.
  async watch(service) {
    const call = this.health.Watch({ service }, { deadline: Date.now() + 2 * patience });
    call.on('error', () => {});
    const answer = await inTime(new Promise((resolve) => call.once('data', resolve)), 'Watch answers');
    return { call, status: answer.status };
  }

  close() {
    this.counter.close();
  }
}

class Unexpected extends Error {}

function expect(holds, otherwise) {
  if (!holds) throw new Unexpected(otherwise);
}

function expectEqual(is, shouldBe, what) {
  const [isText, shouldBeText] = [is, shouldBe].map((value) => JSON.stringify(value));
  expect(isText === shouldBeText, `${what}: ${isText}, not ${shouldBeText}`);
}

// Each count from 1 to `number`.
function expectEachOnce(counts, number, what) {
  const left = new Set(upTo(number));
  const besides = counts.filter((count) => !left.delete(count));
  const differs = `${what}: missing ${[...left].slice(0, 9)}, and besides ${besides.slice(0, 9)}`;
  expect(left.size === 0 && besides.length === 0, differs);
}

// A call that must fail. Answers its message.
async function expectStatus(shouldBe, what, started) {
  const [status, message] = await started.outcome;
  expect(status === shouldBe, `${what}: ${code[status]} (${message}), not ${code[shouldBe]}`);
  return message;
}

function inTime(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Unexpected(`in time not: ${what}`)), 2 * patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function waitUntil(state, what) {
  const deadline = Date.now() + 2 * patience;
  while (!state()) {
    expect(Date.now() < deadline, `in time not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const upTo = (n) => Array.from({ length: n }, (_, i) => i + 1);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const isPerhapsCounted = ([status, message]) => status !== code.OK && !message.endsWith(notCounted);

// Each call that got OK was counted, and of the others at most those that are not surely uncounted.
function expectBetween(counted, outcomes) {
  const ok = outcomes.filter(([status]) => status === code.OK).length;
  const perhaps = outcomes.filter(isPerhapsCounted).length;
  expect(ok <= counted && counted <= ok + perhaps, `counted ${counted}, with ${ok} OK and ${perhaps} perhaps`);
}

function expectOnly(allowed, outcomes) {
  const wrong = outcomes.find(([status]) => !allowed.includes(status));
  expect(wrong === undefined, `${wrong && code[wrong[0]]}: ${wrong?.[1]}; ${codes(outcomes)}`);
}

function codes(outcomes) {
  const numbers = {};
  for (const [status] of outcomes) numbers[code[status]] = (numbers[code[status]] ?? 0) + 1;
  return Object.entries(numbers)
    .map(([name, number]) => `${number} ${name}`)
    .join(', ');
}

const outcomesOf = (calls) => Promise.all(calls.map((call) => call.outcome));

// The checks. Each may return what is worth telling.

async function tokensAreRandomUuids(client) {
  const tokens = await Promise.all(upTo(100).map(() => client.mint()));
  expectEqual(new Set(tokens).size, 100, 'tokens');
  for (const token of tokens) {
    expect(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(token), token);
  }
}

async function countsAreExact(client) {
  const token = await client.mint();
  const paths = ['/a', '/b', '/c', '/ü'];
  const counts = paths.map(() => []);
  let next = 0;
  const caller = async () => {
    while (next < 1000) {
      const i = next++ % 4;
      counts[i].push(await client.count(token, paths[i]));
    }
  };
  await Promise.all(upTo(64).map(caller));
  expectEqual(sum(counts.flat()), 4 * sum(upTo(250)), 'the sum');
  counts.forEach((of, i) => expectEachOnce(of, 250, paths[i]));
}

async function unknownTokensAreNotCounted(client) {
  const token = await client.mint();
  const fresh = '00000000-0000-4000-8000-000000000000';
  const others = ['', 'nonsense', fresh, token.slice(1), `${token} `, 'ü'.repeat(36)];
  for (const other of others) {
    const answer = await client.call(client.counter, 'UpdateCounter', { token: other, path: '/p' });
    expectEqual([answer.success, answer.counter], [false, 0], other);
  }
  expectEqual(await client.count(token), 1, 'the count');
}

async function badRequestsAreInvalidArguments(client) {
  const token = await client.mint();
  const empty = await expectStatus(code.INVALID_ARGUMENT, 'an empty path', client.startUpdate(token, ''));
  expectEqual(empty, 'path cannot be empty', 'the message');
  const long = `/${'a'.repeat(8192)}`;
  await expectStatus(code.INVALID_ARGUMENT, 'a long path', client.startUpdate(token, long));
  const notUtf8 = serialize(token, '/abc');
  notUtf8.set([0xff, 0xfe, 0xfd], notUtf8.length - 3);
  for (const bytes of [notUtf8, Buffer.from([0xff, 0xff, 0xff])]) {
    await expectStatus(code.INVALID_ARGUMENT, 'no message', client.startBytes(updateCounter, bytes));
  }
  expectEqual(await client.count(token, long.slice(1)), 1, 'the longest path');
}

function serialize(token, where) {
  return manager.CounterService.service.UpdateCounter.requestSerialize({ token, path: where });
}

// This library compresses by the channel. So each way has a channel of its own, behind the same relay.
async function compressedRequestsAreTaken(client, { relay, another }) {
  const token = await client.mint();
  const where = `/${'a'.repeat(8000)}`;
  let count = 0;
  for (const way of ['gzip', 'deflate', 'identity']) {
    const compressing = another({
      'grpc.default_compression_algorithm': grpc.compressionAlgorithms[way],
    });
    for (let i = 0; i < 20; ++i) {
      const before = relay.sentBytes;
      expectEqual(await compressing.count(token, where), ++count, 'the count');
      const sent = relay.sentBytes - before;
      expect(sent > 8000 === (way === 'identity'), `a call of ${way} sent ${sent} bytes`);
    }
  }
}

async function longMessagesAreResourceExhausted(client, { another }) {
  const token = await client.mint();
  for (const size of [66_000, 200_000, 1_000_000]) {
    for (let i = 0; i < 10; ++i) {
      const what = `a message of ${size} bytes`;
      await expectStatus(code.RESOURCE_EXHAUSTED, what, client.startUpdate(token, 'a'.repeat(size)));
    }
  }
  const packing = another({ 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip });
  await expectStatus(code.RESOURCE_EXHAUSTED, 'packed', packing.startUpdate(token, 'a'.repeat(1_000_000)));
  expectEqual(await client.count(token), 1, 'the count');
}

async function aThousandCallsAtOnce(client) {
  const token = await client.mint();
  const outcomes = await outcomesOf(upTo(1000).map(() => client.startUpdate(token)));
  expectOnly([code.OK], outcomes);
  expectEachOnce(outcomes.map(([, , answer]) => answer.counter), 1000, 'the counts');
}

async function aThousandCallsAreOpenAndCancelled(client) {
  const token = await client.mint();
  const watches = await Promise.all(upTo(999).map(() => client.watch('')));
  for (const { status } of watches) expectEqual(status, 'SERVING', "a watcher's answer");
  expectEqual(await client.count(token), 1, 'the count beside 999 watchers');
  for (const { call } of watches) call.cancel();
  expectEqual(await client.count(token), 2, 'the count after them');
}

async function callsAreCancelledUnderWay(client) {
  const token = await client.mint();
  const outcomes = [];
  for (let i = 0; i < 10; ++i) {
    const calls = upTo(50).map(() => client.startUpdate(token));
    // Some have left by then.
    await calls[0].outcome;
    for (const call of calls) call.cancel();
    outcomes.push(...(await outcomesOf(calls)));
  }
  expectOnly([code.OK, code.CANCELLED], outcomes);
  expectBetween((await client.count(token)) - 1, outcomes);
  return codes(outcomes);
}

async function deadlinesThatAreNearlyOver(client) {
  const token = await client.mint();
  const outcomes = [];
  for (let i = 0; i < 50; ++i) {
    const timeouts = [-1, 0, 1, 2, 3, 5, 20];
    outcomes.push(...(await outcomesOf(timeouts.map((timeout) => client.startUpdate(token, '/p', { timeout })))));
  }
  expectOnly([code.OK, code.DEADLINE_EXCEEDED, code.UNAVAILABLE], outcomes);
  const ofTheLibrary = outcomes.find((one) => one[0] === code.UNAVAILABLE && isPerhapsCounted(one));
  expect(ofTheLibrary === undefined, ofTheLibrary?.[1]);
  expectBetween((await client.count(token)) - 1, outcomes);
  return codes(outcomes);
}

async function metadataIsPassedOver(client) {
  const token = await client.mint();
  const metadata = new grpc.Metadata();
  metadata.add('x-trace', 'abc');
  metadata.add('x-trace', 'def');
  metadata.add('x-bytes-bin', Buffer.from(upTo(255)));
  metadata.add('x-long', 'x'.repeat(8000));
  for (let i = 1; i <= 20; ++i) expectEqual(await client.count(token, '/p', { metadata }), i, 'the count');
}

async function longMetadataIsRefused(client) {
  const token = await client.mint();
  for (const size of [17_000, 64 * 1024]) {
    for (let i = 0; i < 5; ++i) {
      const metadata = new grpc.Metadata();
      metadata.add('x-long', 'x'.repeat(size));
      const what = `metadata of ${size} bytes`;
      await expectStatus(code.RESOURCE_EXHAUSTED, what, client.startUpdate(token, '/p', { metadata }));
    }
  }
  expectEqual(await client.count(token), 1, 'the count');
}

async function whatDoesNotExistIsUnimplemented(client) {
  const bytes = serialize(await client.mint(), '/p');
  for (const method of [`/${publicService}/Nonsense`, '/nonsense.Service/NewToken', '/tracker.v1.Counting/Mint']) {
    await expectStatus(code.UNIMPLEMENTED, method, client.startBytes(method, bytes));
  }
}

async function healthTellsWhatIsServed(client) {
  for (const [service, status] of [['', 'SERVING'], [publicService, 'SERVING'], ['nonsense', 'SERVICE_UNKNOWN']]) {
    if (status === 'SERVING') {
      expectEqual((await client.call(client.health, 'Check', { service })).status, status, 'Check');
    }
    const watch = await client.watch(service);
    expectEqual(watch.status, status, 'Watch');
    watch.call.cancel();
  }
  await expectStatus(code.NOT_FOUND, 'Check', client.start(client.health, 'Check', { service: 'nonsense' }));
}

async function reflectionListsWhatIsPublic(client) {
  const { requestSerialize, responseDeserialize } = grpcs.reflection.v1.ServerReflection.service.ServerReflectionInfo;
  for (const version of ['v1', 'v1alpha']) {
    const method = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const stream = client.plain.makeBidiStreamRequest(method, requestSerialize, responseDeserialize, {
      deadline: Date.now() + patience,
    });
    stream.write({ list_services: '*' });
    stream.write({ file_containing_symbol: publicService });
    stream.write({ file_containing_symbol: 'tracker.v1.Counting' });
    stream.end();
    const answers = [];
    const ended = new Promise((resolve) => stream.on('status', resolve));
    stream.on('error', () => {});
    stream.on('data', (answer) => answers.push(answer));
    const status = await inTime(ended, 'reflection ends');
    expectEqual([status.code, answers.length], [code.OK, 3], `${version}: status and answers`);
    const names = answers[0].list_services_response.service.map((service) => service.name);
    expect(names.includes(publicService), `${version} lists ${names}`);
    expect(!names.some((name) => name.startsWith('tracker')), `${version} lists ${names}`);
    const files = answers[1].file_descriptor_response.file_descriptor_proto;
    expect(files.some((file) => file.includes('manager_rpc')), `${version} does not describe it`);
    expectEqual(answers[2].error_response.error_code, code.NOT_FOUND, `${version} of tracker.v1`);
  }
}

async function expectPings(relay, number) {
  await waitUntil(() => relay.pingsAnswered >= number, `${number} pings are answered`);
}

async function keepaliveWithACall(client, { relay }) {
  const token = await client.mint();
  const watch = await client.watch('');
  let over = false;
  watch.call.on('status', () => (over = true));
  await expectPings(relay, 20);
  expect(!over, 'the call has ended');
  watch.call.cancel();
  expectEqual(await client.count(token), 1, 'the count');
}

async function keepaliveWithoutCalls(client, { relay }) {
  await expectPings(relay, 20);
  expectEqual(await client.count(await client.mint()), 1, 'the count');
}

const keepalive = { 'grpc.keepalive_time_ms': 50, 'grpc.keepalive_permit_without_calls': 1 };

const rules = new Map([
  ['NewToken: random UUIDs', tokensAreRandomUuids],
  ['UpdateCounter: 1,000 calls, 64 in flight, 4 paths: each count once', countsAreExact],
  ['unknown tokens: OK, success=false, not counted', unknownTokensAreNotCounted],
  ['empty, long and malformed paths: INVALID_ARGUMENT', badRequestsAreInvalidArguments],
  ['gzip and deflate are counted, and identity after them', compressedRequestsAreTaken],
  ['messages over 64 KiB: RESOURCE_EXHAUSTED', longMessagesAreResourceExhausted],
  ['1,000 UpdateCounter at once: each count once', aThousandCallsAtOnce],
  ['1,000 calls open at once, and cancelled', aThousandCallsAreOpenAndCancelled],
  ['500 UpdateCounter cancelled under way', callsAreCancelledUnderWay],
  ['deadlines of -1 ms to 20 ms: counted or an error, no hang', deadlinesThatAreNearlyOver],
  ['ordinary metadata is passed over', metadataIsPassedOver],
  ['metadata of 17,000 bytes and 64 KiB is refused', longMetadataIsRefused],
  ['unknown methods and services: UNIMPLEMENTED', whatDoesNotExistIsUnimplemented],
  ['health: Check and Watch', healthTellsWhatIsServed],
  ['reflection, v1 and v1alpha: CounterService, not tracker.v1', reflectionListsWhatIsPublic],
  ['keepalive pings while a call is open', keepaliveWithACall],
  ['keepalive pings without calls since the beginning', keepaliveWithoutCalls],
]);

// Prints a line, and answers whether it is good.
async function judge(what, check) {
  try {
    const told = await check();
    console.log(`ok ${what}${told ? ` (${told})` : ''}`);
    return true;
  } catch (error) {
    const why = error instanceof Unexpected ? error.message : error.stack;
    console.log(`FAILED ${what}: ${why.slice(0, 500)}`);
    return false;
  }
}

async function connect(address, options) {
  const relay = await new Relay().listen(address);
  const clients = [];
  const another = (others) => {
    clients.push(new Client(relay.port, others));
    return clients.at(-1);
  };
  const close = () => {
    clients.forEach((client) => client.close());
    relay.close();
  };
  return { client: another(options), relay, another, clients, close };
}

async function keepRules(address) {
  const idle = await connect(address, keepalive);
  await idle.client.mint();
  let good = true;
  for (const [what, check] of rules) {
    good &= await judge(what, async () => {
      const all = check === keepaliveWithoutCalls ? idle : await connect(address, keepalive);
      const told = await check(all.client, all);
      const { connections, goaways } = all.relay;
      expectEqual([connections, goaways], [all.clients.length, 0], 'connections and GOAWAYs');
      all.close();
      return told;
    });
  }
  return good;
}

async function end(address, pid, file) {
  return judge('SIGTERM while 64 calls run: each is OK or UNAVAILABLE', async () => {
    const client = new Client(address.split(':')[1]);
    const token = await client.mint();
    const outcomes = [];
    const callUntilOneFails = async () => {
      for (let status = code.OK; status === code.OK; ) {
        const outcome = await client.startUpdate(token, '/end').outcome;
        outcomes.push(outcome);
        [status] = outcome;
      }
    };
    const callers = upTo(64).map(callUntilOneFails);
    await waitUntil(() => outcomes.length > 500, '500 calls have ended');
    process.kill(Number(pid), 'SIGTERM');
    await Promise.all(callers);
    expectOnly([code.OK, code.UNAVAILABLE], outcomes);
    const counts = outcomes.filter(([status]) => status === code.OK).map(([, , answer]) => answer.counter);
    expectEqual(new Set(counts).size, counts.length, 'different counts');
    fs.writeFileSync(file, `${token} ${counts.length} ${outcomes.filter(isPerhapsCounted).length}\n`);
    return codes(outcomes);
  });
}

async function ended(address, file) {
  return judge('the count after SIGTERM is that of the answers', async () => {
    const [token, ...numbers] = fs.readFileSync(file, 'utf8').split(' ');
    const [ok, perhaps] = numbers.map(Number);
    const counted = (await new Client(address.split(':')[1]).count(token, '/end')) - 1;
    const told = `counted ${counted}, with ${ok} OK and ${perhaps} perhaps`;
    expect(ok <= counted && counted <= ok + perhaps, told);
    return told;
  });
}

async function main() {
  const [mode, ...given] = process.argv.slice(2);
  const run = { rules: keepRules, end, ended }[mode];
  if (run?.length !== given.length) {
    console.error('usage: main.js rules ADDRESS | end ADDRESS PID FILE | ended ADDRESS FILE');
    process.exit(2);
  }
  if (mode === 'rules') {
    console.log(`Node.js ${process.versions.node}, @grpc/grpc-js ${require('@grpc/grpc-js/package.json').version}`);
  }
  process.exit((await run(...given)) ? 0 : 1);
}

main();

// Stands between the client and the counter, and looks at the frames of HTTP/2 that pass.
const net = require('node:net');

const prefaceBytes = 24;
const ping = 6;
const goaway = 7;
const ack = 1;

class Relay {
  connections = 0;
  sentBytes = 0; // by the client
  pingsAnswered = 0;
  goaways = 0; // by the counter

  async listen(address) {
    const [host, port] = address.split(':');
    this.server = net.createServer({ noDelay: true }, (client) => {
      ++this.connections;
      const counter = net.connect({ host, port, noDelay: true });
      this.passOn(client, counter, prefaceBytes, () => {}, (bytes) => (this.sentBytes += bytes));
      this.passOn(counter, client, 0, (kind, flags) => {
        if (kind === ping && flags & ack) ++this.pingsAnswered;
        if (kind === goaway) ++this.goaways;
      });
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    return this;
  }

  close() {
    this.server.close();
  }

  // Ends both when either ends. `skip`: bytes until the next frame begins.
  passOn(source, target, skip, look, measure = () => {}) {
    let head = [];
    source.on('data', (chunk) => {
      target.write(chunk);
      measure(chunk.length);
      for (let at = 0; at < chunk.length; ) {
        const passed = Math.min(skip || 9 - head.length, chunk.length - at);
        if (skip) {
          skip -= passed;
        } else {
          head.push(...chunk.subarray(at, at + passed));
          if (head.length === 9) {
            skip = head[0] * 65536 + head[1] * 256 + head[2];
            look(head[3], head[4]);
            head = [];
          }
        }
        at += passed;
      }
    });
    source.on('error', () => {});
    source.on('close', () => target.destroy());
  }
}

module.exports = { Relay };

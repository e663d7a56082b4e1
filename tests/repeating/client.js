// Requests URL with TOKEN, TIMES times in sequence, and prints how many answers came:
// client.js URL TOKEN TIMES (http|fetch)
const http = require('node:http');

const [url, token, times, how] = process.argv.slice(2);
const headers = { Authorization: token };
const agent = new http.Agent({ keepAlive: true });

function get() {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent, headers }, (answer) => answer.resume().on('end', resolve));
    request.on('error', reject);
  });
}

async function main() {
  let answers = 0;
  for (let i = 0; i < Number(times); ++i) {
    try {
      await (how === 'fetch' ? fetch(url, { headers }).then((answer) => answer.text()) : get());
      ++answers;
    } catch (broken) {
      // It has no answer.
    }
  }
  console.log(answers);
  process.exit();
}

main();

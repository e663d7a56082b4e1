"""Requests URL with TOKEN, TIMES times in sequence, and prints how many answers came:
client.py URL TOKEN TIMES"""

import sys

import requests

url, token, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
session = requests.Session()
session.trust_env = False
answers = 0
for _ in range(times):
    try:
        session.get(url, headers={"Authorization": token}, timeout=10).raise_for_status()
        answers += 1
    except requests.RequestException:
        pass
print(answers)

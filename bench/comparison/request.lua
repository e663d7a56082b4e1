-- What wrk sends for bench/compare: wrk ... -s request.lua URL -- SHAPE PIPELINE SEED TOKENS_FILE
-- SHAPE is hot (the first token, one path), spread (any token, any of 100 paths) or mint (GET /auth).
local paths = {}
for i = 0, 99 do paths[i] = string.format("/path/of/20/bytes/%02d", i) end

local tokens = {}

function init(args)
  local shape, pipeline, seed = args[1], tonumber(args[2]), tonumber(args[3])
  for token in io.lines(args[4]) do tokens[#tokens + 1] = token end
  math.randomseed(seed)
  if shape == "mint" then
    wrk.path = "/auth"
  else
    wrk.path = paths[0]
    wrk.headers["Authorization"] = tokens[1]
  end
  if shape == "spread" then
    local middle = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nAuthorization: "
    local random, count = math.random, #tokens
    request = function()
      return "GET " .. paths[random(0, 99)] .. middle .. tokens[random(count)] .. "\r\n\r\n"
    end
  elseif pipeline > 1 then
    local all = string.rep(wrk.format(), pipeline)
    request = function() return all end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "figures requests=%d duration_us=%d p50_us=%d p99_us=%d max_us=%d " ..
      "connect=%d read=%d write=%d status=%d timeout=%d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end

-- Appends a chunk of events to a project's stream, each id once.
--   KEYS[1]  stream of events
--   KEYS[2]  meta hash {epoch, generation}
--   KEYS[3]  prefix of the hashes that remember ids, all in the same slot
--   ARGV[1]  dedupe window in ms
--   ARGV[2]  epoch to give the data set if it has none
--   ARGV[3]  20 bytes for each event: hash of its id (12), hash of its payload (8)
--   ARGV[4…] for each event: what the server adds, its bytes
--   returns  {epoch, stream id of the first event added or '', outcomes, positions}
--            outcomes: one character for each event: a added, its seq one above that of the one added before;
--            d known with this payload; c known with another payload. positions: for each d and c, in order, 12 bytes:
--            ms (6), seq (6), big-endian.
--
-- An id is remembered in the generation (of one window's length) in which it was added, and looked for in that and the
-- one before: it is known for one to two windows. XADD comes first among the writes: Redis checks for room only before a
-- script's first write, and a script that fails is not rolled back, so nothing may claim an event that is not there.

local events, meta, ids = KEYS[1], KEYS[2], KEYS[3]
local window_ms, hashes = tonumber(ARGV[1]), ARGV[3]
local call, sub = redis.call, string.sub

local known = call('HMGET', meta, 'epoch', 'generation')
local time = call('TIME')
local clock_generation = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / window_ms)
-- Never back, even if the clock is set back: ids would be looked for where they are not.
local generation = math.max(clock_generation, tonumber(known[2]) or 0)
local current = ids .. ':' .. generation .. ':'
local previous = ids .. ':' .. (generation - 1) .. ':'
local ttl_ms = 2 * window_ms + 60000

local outcomes, positions = {}, {}
local first, ms_text, ms_packed, seq = '', nil, nil, nil

for i = 1, #hashes / 20 do
  local at = (i - 1) * 20 + 1
  local bucket, field, payload = sub(hashes, at, at + 1), sub(hashes, at + 2, at + 11), sub(hashes, at + 12, at + 19)
  local key = current .. bucket
  local record = call('HGET', key, field) or call('HGET', previous .. bucket, field)
  if record then
    outcomes[i] = sub(record, 1, 8) == payload and 'd' or 'c'
    positions[#positions + 1] = sub(record, 9)
  else
    local added, bytes = ARGV[2 + 2 * i], ARGV[3 + 2 * i]
    if seq then
      seq = seq + 1
      call('XADD', events, ms_text .. '-' .. string.format('%.0f', seq), added, bytes)
    else
      first = call('XADD', events, '*', added, bytes)
      local seq_text
      ms_text, seq_text = string.match(first, '^(%d+)-(%d+)$')
      ms_packed, seq = struct.pack('>I6', tonumber(ms_text)), tonumber(seq_text)
    end
    call('HSET', key, field, payload .. ms_packed .. struct.pack('>I6', seq))
    -- A generation that outlives its time, because the clock was set back, must not expire under the ids still added.
    if call('HLEN', key) == 1 or generation > clock_generation then call('PEXPIRE', key, ttl_ms) end
    outcomes[i] = 'a'
  end
end

local epoch = known[1] or ARGV[2]
if first ~= '' then
  if not known[1] then call('HSET', meta, 'epoch', epoch) end
  if tonumber(known[2]) ~= generation then call('HSET', meta, 'generation', generation) end
end
return { epoch, first, table.concat(outcomes), table.concat(positions) }

-- Appends a chunk of events to a project's stream, each id once.
--   KEYS[1]  stream of events
--   KEYS[2]  meta hash {epoch, generation, generation_ms: when that began}
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
-- An id is remembered in the generation in which it was added, and looked for in that and the one before. A generation
-- ends with the first event after a window has passed since it began, so an id is known for one window at least. XADD
-- comes first among the writes: Redis checks for room only before a script's first write, and a script that fails is not
-- rolled back, so nothing may claim an event that is not there.

local events, meta, ids = KEYS[1], KEYS[2], KEYS[3]
local window_ms, hashes = tonumber(ARGV[1]), ARGV[3]
local call, sub = redis.call, string.sub

local known = call('HMGET', meta, 'epoch', 'generation', 'generation_ms')
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local generation, began_ms = tonumber(known[2]) or 0, tonumber(known[3]) or now_ms
local age_ms = now_ms - began_ms
if age_ms >= 2 * window_ms then
  -- Both that are looked at are over.
  generation, began_ms = generation + 2, now_ms
elseif age_ms >= window_ms then
  generation, began_ms = generation + 1, now_ms
elseif age_ms < 0 then
  -- The clock was set back: the generation goes on, and gets no longer than a window from now.
  began_ms = now_ms
end
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
    if call('HLEN', key) == 1 then call('PEXPIRE', key, ttl_ms) end
    outcomes[i] = 'a'
  end
end

local epoch = known[1] or ARGV[2]
if not known[1] then call('HSET', meta, 'epoch', epoch) end
if first ~= '' and tonumber(known[3]) ~= began_ms then
  call('HSET', meta, 'generation', generation, 'generation_ms', string.format('%.0f', began_ms))
end
return { epoch, first, table.concat(outcomes), table.concat(positions) }

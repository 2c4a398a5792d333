-- Removes events that are older than they are to be kept, oldest first: whole nodes of the stream, a thousand events or
-- some 4 MB of them at most, which holds Redis for a millisecond or two.
--   KEYS[1]  stream of events
--   KEYS[2]  meta hash {trimmed, segment, segments_version, …}
--   KEYS[3]  segments hash {base: ids of its indexes}
--   KEYS[4]  set of indexes to be deleted
--   ARGV[1]  the time by the server's clock, in ms; the earlier one of it and Redis' own counts
--   ARGV[2]  for how long events are kept, in ms
--   returns  {how many were removed, stream id of the oldest left or '', 1 if there may be more to remove}
--
-- XTRIM comes first among the writes: it is allowed when Redis is full, and what comes behind a write then is too. What
-- else could refuse a write, such as a key of another type, has been read before. So no event goes without `trimmed`.

local call = redis.call
local events, meta, segments, dropped = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local removed_max, bytes_max, node_events = 1000, 4 * 1024 * 1024, 100

local function split(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

-- The id of the oldest event, and its size.
local function read_oldest()
  local entry = call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
  if entry then return entry[1], #entry[2][2] end
end

local time = call('TIME')
local now_ms = math.min(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[1]))
local cutoff_ms = now_ms - tonumber(ARGV[2])
local oldest, bytes = read_oldest()
if not oldest or split(oldest) >= cutoff_ms then return { 0, oldest or '', 0 } end
local current = call('HGET', meta, 'segment')
local listed = call('HGETALL', segments)
call('SCARD', dropped)

-- Removes about so many events, as long as they are as large as the oldest. A large one has a node of its own. A node with
-- more events than a limit allows stays, so the limit is then raised.
local cutoff = string.format('%.0f-0', cutoff_ms)
local function trim(count)
  for _, limit in ipairs({ count, node_events, 100 * node_events }) do
    local trimmed = call('XTRIM', events, 'MINID', '~', cutoff, 'LIMIT', limit)
    if trimmed > 0 then return trimmed end
  end
  return 0
end

local newest_due = call('XREVRANGE', events, '(' .. cutoff, '-', 'COUNT', 1)[1][1]
local removed, removed_bytes, is_more = 0, 0, true
while oldest and is_more and removed < removed_max and (removed == 0 or removed_bytes + bytes <= bytes_max) do
  local count = trim(math.max(1, math.min(node_events, math.floor((bytes_max - removed_bytes) / bytes))))
  removed, removed_bytes, is_more = removed + count, removed_bytes + count * bytes, count > 0
  if is_more then oldest, bytes = read_oldest() end
end
if removed == 0 then return { 0, oldest, 0 } end

local oldest_ms, oldest_seq, trimmed = math.huge, 0, nil
if oldest then
  oldest_ms, oldest_seq = split(oldest)
  local due_ms, due_seq = split(newest_due)
  -- All that were due are gone: whoever has read the last of them misses nothing.
  if due_ms < oldest_ms or due_ms == oldest_ms and due_seq < oldest_seq then trimmed = newest_due
  elseif oldest_seq > 0 then trimmed = string.format('%.0f-%.0f', oldest_ms, oldest_seq - 1)
  else trimmed = string.format('%.0f-281474976710655', oldest_ms - 1) end
else
  local facts = call('XINFO', 'STREAM', events)
  for i = 1, #facts, 2 do
    if facts[i] == 'last-generated-id' then trimmed = facts[i + 1] end
  end
end
call('HSET', meta, 'trimmed', trimmed)

-- A segment ends where the next one begins, and the last where the events do, unless it is still added to.
local found = {}
for i = 1, #listed, 2 do
  local ms, seq = split(listed[i])
  found[#found + 1] = { base = listed[i], ids = listed[i + 1], ms = ms, seq = seq }
end
table.sort(found, function(a, b) return a.ms < b.ms or a.ms == b.ms and a.seq < b.seq end)
local is_changed = false
for i, segment in ipairs(found) do
  local behind = found[i + 1] or { ms = math.huge, seq = 0 }
  local is_over = behind.ms < oldest_ms or behind.ms == oldest_ms and behind.seq <= oldest_seq
  if is_over and segment.base ~= current then
    call('HDEL', segments, segment.base)
    for id in string.gmatch(segment.ids, '%S+') do call('SADD', dropped, segment.base .. ':' .. id) end
    is_changed = true
  end
end
if is_changed then call('HINCRBY', meta, 'segments_version', 1) end
return { removed, oldest or '', oldest and is_more and 1 or 0 }

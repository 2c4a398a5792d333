-- Reads entries from a place back, where there may be none: XREVRANGE goes through the whole stream when its end is in
-- front of the oldest entry, a second for ten million.
--   KEYS[1]  stream
--   KEYS[2]  meta hash {epoch, trimmed, segments_version, …}
--   ARGV[1]  stream id of the place, exclusive
--   ARGV[2]  where to stop, as XREVRANGE takes it
--   ARGV[3]  how many entries at most
--   returns  {epoch, trimmed, segments_version, stream id of the oldest entry or '', the entries as XREVRANGE gives them}

local function split(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local entries = {}
if oldest then
  local ms, seq = split(ARGV[1])
  local oldest_ms, oldest_seq = split(oldest[1])
  if ms > oldest_ms or ms == oldest_ms and seq > oldest_seq then
    entries = redis.call('XREVRANGE', KEYS[1], '(' .. ARGV[1], ARGV[2], 'COUNT', ARGV[3])
  end
end
local meta = redis.call('HMGET', KEYS[2], 'epoch', 'trimmed', 'segments_version')
return { meta[1] or '', meta[2] or '', meta[3] or '', oldest and oldest[1] or '', entries }

-- Walks back over some events.
--   KEYS[1]  stream of events
--   ARGV[1]  where to begin, as XREVRANGE takes it
--   ARGV[2]  where to stop, as XREVRANGE takes it
--   ARGV[3]  how many events at most
--   returns  {how many there were, stream id of the last that was met, their size in bytes}

-- With its end in front of the oldest entry, XREVRANGE would go through the whole stream.
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local exclusive, ms, seq = string.match(ARGV[1], '^(%(?)(%d+)-(%d+)$')
if oldest and ms then
  local oldest_ms, oldest_seq = string.match(oldest[1], '^(%d+)-(%d+)$')
  local behind_ms, behind_seq = tonumber(ms) - tonumber(oldest_ms), tonumber(seq) - tonumber(oldest_seq)
  if exclusive ~= '' then behind_seq = behind_seq - 1 end
  if behind_ms < 0 or behind_ms == 0 and behind_seq < 0 then oldest = nil end
end
if not oldest then return { 0, '', 0 } end
local entries = redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local bytes = 0
for i = 1, #entries do bytes = bytes + #entries[i][2][2] end
if #entries == 0 then return { 0, '', 0 } end
return { #entries, entries[#entries][1], bytes }

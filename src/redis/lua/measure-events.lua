-- Walks back over some events.
--   KEYS[1]  stream of events
--   ARGV[1]  where to begin, as XREVRANGE takes it
--   ARGV[2]  where to stop, as XREVRANGE takes it
--   ARGV[3]  how many events at most
--   returns  {how many there were, stream id of the last that was met, their size in bytes}

local entries = redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local bytes = 0
for i = 1, #entries do bytes = bytes + #entries[i][2][2] end
if #entries == 0 then return { 0, '', 0 } end
return { #entries, entries[#entries][1], bytes }

-- Reads entries of a stream by their ids.
--   KEYS[1]  stream
--   KEYS[2]  meta hash {epoch, trimmed, segments_version, …}
--   ARGV[1]  bytes after which no more are read
--   ARGV[2…] ids
--   returns  {epoch, trimmed, segments_version, how many ids were looked at, then for each entry that is there: id,
--            field, value}

local reply = { '', '', '', 0 }
local bytes, bytes_max = 0, tonumber(ARGV[1])
for i = 2, #ARGV do
  if bytes > bytes_max then break end
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if entry then
    local at, value = #reply, entry[2][2]
    reply[at + 1], reply[at + 2], reply[at + 3] = entry[1], entry[2][1], value
    bytes = bytes + #value
  end
  reply[4] = i - 1
end
local meta = redis.call('HMGET', KEYS[2], 'epoch', 'trimmed', 'segments_version')
for i = 1, 3 do reply[i] = meta[i] or '' end
return reply

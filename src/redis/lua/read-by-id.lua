-- Reads the entry of the event with an id, if the id is remembered.
--   KEYS[1]  stream of events
--   KEYS[2]  meta hash {epoch, generation, older, …}: see append-events.lua
--   KEYS[3]  prefix of the buckets of ids (id-buckets.lua), all in the same slot
--   ARGV[1]  hash of the id (12 bytes)
--   returns  {epoch, id, field, value}, or nothing when the id is not known or its entry is gone

local meta = redis.call('HMGET', KEYS[2], 'epoch', 'generation', 'older', 'id_border')
if not meta[2] then return false end
local digits = string.format('%02x%02x%02x', string.byte(ARGV[1], 1, 3))
local function find(generation, border)
  return find_id(open_generation(KEYS[3], generation, border or nil), digits, ARGV[1])
end

local record = find(meta[2], meta[4])
for older, colon, border in string.gmatch(meta[3] or '', '(%d+):%d+(:?)(%x*)') do
  record = record or find(older, colon == ':' and border)
end
if not record then return false end
local ms, seq = struct.unpack(#record == 16 and '>I6I2' or '>I6I6', record, 9)
local id = string.format('%.0f-%.0f', ms, seq)
local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
if not entry then return false end
return { meta[1], entry[1], entry[2][1], entry[2][2] }

-- How ids are remembered, for the scripts that this is put before.
--
-- A generation of ids is in Redis hashes, its buckets: the hash of an id (12 bytes), and what is remembered of it. A bucket
-- is named after the first digits, in hex, of the hashes that are in it. There is one without a name at first, and as ids
-- are added, each is divided into sixteen by the next digit, in the order of their names: so all stay small and quick to
-- search, and an id costs about the same among a hundred and among a hundred million. They are divided in bursts: all, one
-- after the other, while there are 64 to 128 ids for each, and then none until there are 64 again. So one id in ten is
-- ever moved.
--
-- `border` is the name of the bucket that is divided next: those before it have been, and have one digit more. A generation
-- without is from when there were 65,536 buckets, named after the first two bytes of the hash.

local ids_of_bucket = 64
-- As many as tell 16,777,216 buckets apart.
local digits_max = 6

local function open_generation(prefix, number, border)
  return { prefix = prefix .. ':' .. number .. ':', border = border, digit_count = border and #border }
end

-- `digits` are the first of the hash.
local function bucket_of(generation, digits)
  local name = string.sub(digits, 1, generation.digit_count)
  if name < generation.border then name = string.sub(digits, 1, generation.digit_count + 1) end
  return generation.prefix .. name
end

local function find_id(generation, digits, hash)
  if generation.border then return redis.call('HGET', bucket_of(generation, digits), hash) end
  return redis.call('HGET', generation.prefix .. string.sub(hash, 1, 2), string.sub(hash, 3))
end

-- A bucket without ids has an empty field, so that it has a time to live. Lua gives a function some thousand arguments.
local function write_bucket(key, fields, ttl_ms)
  if #fields == 0 then fields = { '', '' } end
  for i = 1, #fields, 2000 do redis.call('HSET', key, unpack(fields, i, math.min(i + 1999, #fields))) end
  redis.call('PEXPIRE', key, ttl_ms)
end

local function divide_bucket(generation, ttl_ms)
  local border, digit_count = generation.border, generation.digit_count
  local key = generation.prefix .. border
  local fields = redis.call('HGETALL', key)
  local parts = {}
  for digit = 0, 15 do parts[digit] = {} end
  local byte_place, is_high = math.floor(digit_count / 2) + 1, digit_count % 2 == 0
  for i = 1, #fields, 2 do
    if fields[i] ~= '' then
      local byte = string.byte(fields[i], byte_place)
      local part = parts[is_high and math.floor(byte / 16) or byte % 16]
      local size = #part
      part[size + 1], part[size + 2] = fields[i], fields[i + 1]
    end
  end
  -- The bucket goes last: should a command be forbidden, no id is lost.
  for digit = 0, 15 do write_bucket(key .. string.format('%x', digit), parts[digit], ttl_ms) end
  redis.call('UNLINK', key)
  local is_last = border == string.rep('f', digit_count)
  if is_last then generation.digit_count = digit_count + 1 end
  generation.border = is_last and string.rep('0', digit_count + 1)
    or string.format('%0' .. digit_count .. 'x', tonumber(border, 16) + 1)
end

-- Makes buckets for so many ids.
local function add_buckets(generation, id_count, ttl_ms)
  local function count_buckets() return 16 ^ generation.digit_count + (tonumber(generation.border, 16) or 0) end
  while generation.digit_count < digits_max and count_buckets() * ids_of_bucket < id_count do
    divide_bucket(generation, ttl_ms)
  end
end

-- A URL that was never asked for, each time: PREFIX and a number. Arguments: PREFIX.
local thread = 0

function setup(t)
  t:set("id", thread)
  thread = thread + 1
end

function init(args)
  prefix, n = args[1] .. id .. "-", 0
end

function request()
  n = n + 1
  return wrk.format("GET", prefix .. n)
end

-- A new URL each time, with a body of mixed sizes: from 1 KB to 1 MB, as many in each factor of two. Arguments: NAME.
function init(args)
  name, n = args[1], 0
  math.randomseed(7)
end

function request()
  n = n + 1
  return wrk.format("GET", string.format("/b%d/%s-%d", math.floor(1024 * 2 ^ (math.random() * 10)), name, n))
end

-- SPDX-License-Identifier: MIT
--
-- For wrk: 4 KiB of a page blob, read (GET) or written (PUT) at random. The URL
-- has the SAS; arguments after --: GET or PUT, and how many pieces of 4 KiB there
-- are. Anything but success is counted by wrk as an error.

local piece = 4096

function init(args)
  method = args[1]
  pieces = tonumber(args[2])
  math.randomseed(os.time())
  target = wrk.path
  if method == "PUT" then
    target = wrk.path .. "&comp=page"
    body = string.rep("clouddrive page ", piece / 16)
  end
end

function request()
  local offset = math.random(0, pieces - 1) * piece
  local headers = {
    ["x-ms-version"] = "2021-08-06",
    ["x-ms-range"] = string.format("bytes=%d-%d", offset, offset + piece - 1),
  }
  if method == "PUT" then
    headers["x-ms-page-write"] = "update"
  end
  return wrk.format(method, target, headers, body)
end

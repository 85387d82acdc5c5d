-- For wrk: with a file of deliveries, each line (path, signature, body) is sent once.
local threads = {}

function setup(thread)
   thread:set("number", #threads)
   table.insert(threads, thread)
end

function init(args)
   sent = 0
   if not args[1] then return end
   deliveries = {}
   local line_number = 0
   for line in io.lines(args[1]) do
      if line_number % tonumber(args[2]) == number then
         local path, signature, body = line:match("([^\t]*)\t([^\t]*)\t(.*)")
         local headers = {
            ["Stripe-Signature"] = signature, ["Content-Type"] = "application/json"
         }
         table.insert(deliveries, wrk.format("POST", path, headers, body))
      end
      line_number = line_number + 1
   end
end

function request()
   sent = sent + 1
   if not deliveries then return wrk.format() end
   return deliveries[sent] or error("too few deliveries were prepared")
end

function done(summary, latency, requests)
   local errors = summary.errors
   print(string.format(
      '{"requests": %d, "seconds": %f, "bad": %d, "p50": %f, "p99": %f}',
      summary.requests, summary.duration / 1e6,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end

#include "torture/simulate/plan.h"

#include <algorithm>
#include <cstring>

#include <handrail/core/error.h>

namespace simulate {

using handrail::concat;

bool Plan::has(Trouble what) const {
  if (what == Trouble::low_memory) return memory.first != world::never;
  if (what == Trouble::failing_calls) return weather.first != world::never && !weather.full;
  if (what == Trouble::full_disk) return weather.first != world::never && weather.full;
  if (what == Trouble::refused_threads) return weather.refuses_threads;
  return std::ranges::any_of(events, [what](const Event& event) { return event.what == what; });
}

bool Plan::has_faults() const {
  return has(Trouble::low_memory) || has(Trouble::failing_calls) || has(Trouble::full_disk);
}

bool Plan::needs_process() const {
  const bool may_end = has(Trouble::kill) || has(Trouble::power_cut) || has(Trouble::second_signal) ||
                       (has(Trouble::signal) && disposition == Disposition::standard);
  return may_end || threads > 1;
}

std::string Plan::text() const {
  std::string all;
  const auto add = [&](auto&&... words) { all += concat(all.empty() ? "" : ", ", words...); };
  for (const Event& event : events)
    add(trouble_names.at(static_cast<std::size_t>(event.what)), " at instant ", event.instant);
  if (has(Trouble::low_memory)) add(memory.count, " allocations fail from number ", memory.first);
  if (weather.first != world::never)
    add(weather.count, weather.full ? " instants of a full disk from " : " instants of failing calls from ",
        weather.first, ", ", std::strerror(weather.error));
  if (has(Trouble::signal) || has(Trouble::second_signal)) add("signal ", signal);
  if (disposition != Disposition::standard)
    add(disposition == Disposition::ignored ? "signals ignored" : "signals handled", " before");
  if (weather.max_bytes < 1000) add("short writes of ", weather.max_bytes);
  if (weather.interrupts) add("interrupted calls");
  if (threads > 1) add(threads, " threads", weather.refuses_threads ? ", which are refused" : "");
  if (relative) add("relative path");
  add("ticks of ", weather.tick, " s");
  if (weather.leap > 0) add("a leap of ", weather.leap, " s at instant ", weather.leap_at);
  return all;
}

}  // namespace simulate

#include "torture/simulate/fate.h"

#include <cerrno>
#include <cmath>
#include <csignal>
#include <iterator>
#include <limits>

namespace simulate {

Case Fate::grown(std::uint64_t number) {
  Case c = random_case(number);
  auto& o = c.options;
  if (one_of(4)) o.checks = {.finite = c.bad_rows == 0};
  if (one_of(3)) o.checks.overfit_batch = true;
  if (one_of(8)) o.lr = train::automatic;
  if (one_of(12)) {
    c.rows = 150;
    c.width = wide;
    o.batch_size = 64;
    o.accumulate_grad_batches = 1;
    o.epochs = std::min<Index>(o.epochs, 2);
  }
  return c;
}

world::Weather Fate::weather(std::int64_t instants) {
  constexpr double ticks[] = {0, 1e-6, 4e-5, 1e-3, 0.7};
  world::Weather w{.tick = ticks[below(std::ssize(ticks))]};
  if (one_of(3)) w.leap = std::pow(10.0, 1 + below(6)), w.leap_at = instant(instants);
  if (one_of(4)) w.max_bytes = static_cast<std::size_t>(1 + below(200));
  w.interrupts = one_of(4);
  return w;
}

Plan Fate::calm() {
  Plan plan{.weather = weather(300), .relative = one_of(2), .cadence = rng_.bits()};
  if (one_of(4)) plan.disposition = one_of(2) ? Disposition::ignored : Disposition::handled;
  return plan;
}

Plan Fate::troubled(const Case& c, const Extent& extent) {
  Plan plan = calm();
  plan.weather = weather(extent.instants);
  plan.signal = one_of(2) ? SIGINT : SIGTERM;
  if (c.width == wide) {
    plan.weather.max_bytes = std::numeric_limits<std::size_t>::max();  // short writes of a large file take long
    plan.threads = 1 + static_cast<int>(below(3));
    plan.weather.refuses_threads = plan.threads > 1 && one_of(2);
  }
  for (std::int64_t left = 1 + below(2); left > 0; --left) {
    const auto any = static_cast<Trouble>(below(std::ssize(trouble_names)));
    const Trouble what = one_of(6) ? Trouble::low_memory : any;
    switch (what) {
      case Trouble::failing_calls:
      case Trouble::full_disk: {
        constexpr int errors[] = {EIO, ENOSPC, EACCES, EMFILE, EROFS, EDQUOT};
        plan.weather.first = instant(extent.instants);
        plan.weather.count = one_of(2) ? 1 : one_of(2) ? 1 + below(20) : world::never;
        plan.weather.full = what == Trouble::full_disk;
        plan.weather.error = plan.weather.full ? ENOSPC : errors[below(std::ssize(errors))];
        break;
      }
      case Trouble::low_memory:
        if (plan.threads > 1) break;
        plan.memory.first = 1 + below(one_of(2) ? extent.preparations : extent.allocations);
        plan.memory.count = one_of(3) ? 1 : 5 + below(16);
        break;
      case Trouble::refused_threads:
        break;
      case Trouble::signal:
      case Trouble::second_signal:  // a further one would end the process
        if (plan.has(Trouble::signal) || plan.has(Trouble::second_signal)) break;
        [[fallthrough]];
      default:
        plan.events.push_back({what, instant(extent.instants)});
    }
  }
  // What a power cut leaves is known only of a disk that works and of names that this process alone changes; and of
  // another process it is known that the file system locks and has a directory.
  const bool moves = plan.has(Trouble::link) || plan.has(Trouble::deletion);
  if (plan.has(Trouble::power_cut) && (plan.has_faults() || moves || plan.has(Trouble::other_process)))
    std::erase_if(plan.events, [](const Event& event) { return event.what == Trouble::power_cut; });
  if (plan.has(Trouble::other_process) && (plan.has_faults() || moves))
    std::erase_if(plan.events, [](const Event& event) { return event.what == Trouble::other_process; });
  // A directory that cannot be opened at the start of a session has no descriptor that would protect it.
  if (plan.has(Trouble::failing_calls))
    std::erase_if(plan.events, [](const Event& event) { return event.what == Trouble::link; });
  // A child that goes on with a team of threads has none of them.
  if (plan.threads > 1)
    std::erase_if(plan.events, [](const Event& event) { return event.what == Trouble::busy_child; });
  return plan;
}

}  // namespace simulate

// Stops runs in every hook, resumes them, and compares how they end with runs that nothing happened to.
//   resumes [COUNT] [SEED]                   so many runs that are resumed, 2,000 by default
//   resumes --case NUMBER PLACE CALL HOW...  one of them, with the words by which a failure names it
//
// A run ends early by stop(), by SIGTERM or by an exception, in any hook or sink, at any call of it, up to three times.
// Every session writes checkpoints at other times. What is compared: the weights, the result, metrics.csv, and the last
// checkpoint with its last good state. The same run without checkpoints must end with the same weights. It fails when
// one bit differs.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "resume_session.h"

using namespace resume_case;

namespace {

struct Tally {
  int cases = 0, rolled_back = 0, diverged = 0, by_guard = 0, resumed = 0, different = 0;
};

// Runs the case with these interruptions, one a session, and then to its end.
bool is_same(const Case& c, const fs::path& scratch, const std::vector<Interruption>& interruptions, const End& want,
             Rng& rng) {
  fs::remove_all(scratch);
  for (const Interruption& at : interruptions) session(c, scratch, true, rng, &at);
  const std::string what = differences(session(c, scratch, true, rng, nullptr), want);
  if (what.empty()) return true;
  std::string where;
  for (const Interruption& at : interruptions)
    where += std::string(" ") + places.at(at.place) + ' ' + std::to_string(at.call) + ' ' +
             hows.at(static_cast<std::size_t>(at.how));
  std::printf("--case %llu%s: other%s\n", static_cast<unsigned long long>(c.seed), where.c_str(), what.c_str());
  std::fflush(stdout);
  return false;
}

// The run that nothing happens to. Without checkpoints it must have the same weights.
End whole(const Case& c, const fs::path& scratch, Rng& rng, Tally& tally) {
  fs::remove_all(scratch);
  const End want = session(c, scratch, true, rng, nullptr);
  ++tally.cases;
  tally.rolled_back += want.fit.rollbacks > 0;
  tally.diverged += want.diverged;
  tally.by_guard += want.fit.reason == train::StopReason::guard;
  if (session(c, scratch, false, rng, nullptr).weights != want.weights) {
    ++tally.different;
    std::printf("case %llu: other weights without checkpoints\n", static_cast<unsigned long long>(c.seed));
  }
  return want;
}

// Every way to stop in every call of every hook.
void stop_everywhere(const Case& c, const fs::path& scratch, Rng& rng, Tally& tally) {
  const End want = whole(c, scratch, rng, tally);
  for (std::size_t place = 0; place < places.size(); ++place)
    for (std::int64_t call = 1; call <= want.calls.at(place); ++call)
      for (const How how : {How::stop, How::signal, How::exception}) {
        ++tally.resumed;
        tally.different += !is_same(c, scratch, {{place, call, how}}, want, rng);
      }
}

void stop_anywhere(const Case& c, const fs::path& scratch, Rng& rng, Tally& tally) {
  const End want = whole(c, scratch, rng, tally);
  constexpr int trials = 8;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<Interruption> interruptions;
    for (std::uint64_t left = 1 + rng.below(3); left > 0; --left) {
      const std::size_t place = rng.below(places.size());
      const auto calls = static_cast<std::uint64_t>(want.calls.at(place));
      if (calls > 0)
        interruptions.push_back(
            {place, 1 + static_cast<std::int64_t>(rng.below(calls)), static_cast<How>(rng.below(3))});
    }
    if (interruptions.empty()) continue;
    ++tally.resumed;
    tally.different += !is_same(c, scratch, interruptions, want, rng);
  }
}

// Runs that roll back, that end diverged, that a guard ends, and that stop early.
std::vector<Case> chosen_cases() {
  std::vector<Case> all(4, Case{.options = plain_options()});
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].seed = 1'000'000 + i;
    auto& o = all[i].options;
    o.epochs = 4;
    o.batch_size = 8;
    o.lr = 0.05;
    o.lr_scaling = train::LrScaling::none;
    o.restore_best = false;
    o.val_check_interval = 3;
    o.log_every_n_steps = 4;
    o.clip_norm = off;
    o.optimizer = train::with<optim::SGD>({.momentum = 0.9});
  }
  all[0].shock_from = 11, all[0].shock_to = 14, all[0].shock = 1e4;
  all[1].regression = true;
  all[1].shock_from = 26, all[1].shock_to = 99, all[1].shock = 1e3;
  all[2].bad_rows = 0.4;
  all[3].options.patience = 2;
  all[3].options.improvement = train::Improvement::plain;
  all[3].norm = true;
  all[3].dropout = 0.3;
  return all;
}

Case case_of(std::uint64_t number) {
  for (const Case& c : chosen_cases())
    if (c.seed == number) return c;
  return random_case(number);
}

// The words of a failure: a place, a call and a way each.
std::vector<Interruption> interruptions_of(int argc, char** argv) {
  std::vector<Interruption> all;
  const auto index = [](const auto& names, std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
  };
  for (int i = 0; i + 2 < argc; i += 3)
    all.push_back({index(places, argv[i]), std::atoll(argv[i + 1]), static_cast<How>(index(hows, argv[i + 2]))});
  return all;
}

}  // namespace

int main(int argc, char** argv) try {
  const bool one = argc > 2 && std::string_view(argv[1]) == "--case";
  const int count = argc > 1 && !one ? std::atoi(argv[1]) : 2000;
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  if ((argc > 3 && !one) || count < 1 || first < 1) {
    std::fprintf(stderr, "usage: resumes [COUNT] [SEED]\n       resumes --case NUMBER PLACE CALL HOW...\n");
    return 2;
  }
  set_num_threads(1);
  const fs::path memory = "/dev/shm";
  const fs::path root = access(memory.c_str(), W_OK | X_OK) == 0 ? memory : fs::temp_directory_path();
  const fs::path scratch = root / ("handrail-resumes-" + std::to_string(getpid()));
  Rng rng(StreamKey{.seed = first, .stream = Stream::user});
  Tally tally;
  if (one) {
    const Case c = case_of(first);
    const End want = whole(c, scratch, rng, tally);
    ++tally.resumed;
    tally.different += !is_same(c, scratch, interruptions_of(argc - 3, argv + 3), want, rng);
  } else {
    for (const Case& c : chosen_cases()) stop_everywhere(c, scratch, rng, tally);
    for (std::uint64_t seed = first; tally.resumed < count; ++seed)
      stop_anywhere(random_case(seed), scratch, rng, tally);
  }
  fs::remove_all(scratch);
  std::printf("%d runs resumed, of %d cases: %d roll back, %d end diverged, %d are ended by a guard: %d differences\n",
              tally.resumed, tally.cases, tally.rolled_back, tally.diverged, tally.by_guard, tally.different);
  return tally.different == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "resumes: %s\n", error.what());
  return 1;
}

#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include <handrail/handrail.h>

/// The 22 training mistakes, each run the wrong way and the default way from the same seed.
namespace gallery {

/// What one way came to.
struct Side {
  bool failed;           // by the criterion of the row
  std::string evidence;  // the figures it was judged by, short: "loss 2.31 -> nan at step 12"
};

struct Outcome {
  Side wrong;
  Side handrail;
};

/// One mistake. The criterion was written before the runs, and holds for both ways.
struct Row {
  const char* id;         // "O1" ... "M12"
  const char* mistake;    // "learning rate too high"
  const char* wrong_way;  // what the wrong way does
  const char* criterion;  // when a way has failed: "the loss after training is not finite or above 2 ln C"
  const char* opt_out;    // the one option that gives the protection up: ".clip_norm = off"
  // Sets that option; and the name of the summary line that then says "off".
  std::function<void(handrail::train::TrainerOptions&)> give_up;
  const char* summary_line;
  std::function<Outcome(std::uint64_t seed)> run;
};

/// All 22, O1 to O10 and M1 to M12.
std::span<const Row> rows();

}  // namespace gallery

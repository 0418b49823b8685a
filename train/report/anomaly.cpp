#include <handrail/train/report/anomaly.h>

#include <algorithm>
#include <utility>

#include <handrail/train/report/internal/explanations.h>

namespace handrail::train {

namespace {

// What is done, in fewer words than to_string, for a headline.
const char* short_name(Action action, bool lowers_lr) {
  switch (action) {
    case Action::proceed:
      return "training continues";
    case Action::skip:
      return "step skipped";
    case Action::reduce_lr:
      return "step skipped, lr lowered";
    case Action::rollback:
      return lowers_lr ? "rolled back, lr lowered" : "rolled back";
    case Action::stop:
      return "training stops";
  }
  return "unknown";
}

// Whether something else than this cause must have made the effect: a rate that was given and is far from all usual
// ones, a row of the data that is not finite, or, of a cause in the updates, a first step that was not finite.
bool is_apart(const Anomaly& cause, const Anomaly& effect) {
  const bool is_rate = effect.name == "lr_too_high" || effect.name == "lr_too_low";
  const bool of_updates =
      cause.name == "lr_too_high" || cause.name == "momentum_too_high" || cause.name == "adam_betas";
  return effect.rank == Rank::bad_row || (is_rate && effect.rank == Rank::setup) ||
         (of_updates && effect.name == "non_finite" && effect.step <= 1);
}

// The number of the first warning in the list that explains this anomaly; its own when there is none. Of two that
// explain each other, the first stays.
std::size_t cause_of(std::size_t effect, const std::vector<Anomaly>& list) {
  for (std::size_t c = 0; c < list.size(); ++c)
    if (list[c].severity == Severity::warning && explains(list[c].name, list[effect].name) &&
        !is_apart(list[c], list[effect]) && (c < effect || !explains(list[effect].name, list[c].name)))
      return c;
  return effect;
}

// Makes a note that explains a warning one itself: what it tells of has done its harm. A fault of the targets keeps its
// own place.
void promote_causes(std::vector<Anomaly>& list) {
  for (Anomaly& note : list)
    for (const Anomaly& other : list)
      if (other.severity == Severity::warning && !is_of_targets(other.name) && explains(note.name, other.name))
        note.severity = Severity::warning;
}

// Lists one cause of each part of the program before a second one of the same part: of two faults in two parts, each
// may have several names. causes: warnings of rank setup.
void spread_subjects(std::span<Anomaly> causes) {
  std::vector<std::size_t> turns;
  for (std::size_t i = 0; i < causes.size(); ++i)
    turns.push_back(static_cast<std::size_t>(std::ranges::count_if(
        causes.first(i), [&](const Anomaly& before) { return share_a_subject(before.name, causes[i].name); })));
  std::vector<Anomaly> sorted;
  for (std::size_t turn = 0; sorted.size() < causes.size(); ++turn)
    for (std::size_t i = 0; i < causes.size(); ++i)
      if (turns[i] == turn) sorted.push_back(causes[i]);
  std::ranges::move(sorted, causes.begin());
}

// Leaves out what follows from something else in the list, and names it there.
std::vector<Anomaly> without_effects(const std::vector<Anomaly>& list) {
  std::vector<Anomaly> causes;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (cause_of(i, list) != i) continue;
    causes.push_back(list[i]);
    for (std::size_t e = 0; e < list.size(); ++e) {
      std::size_t root = e;
      for (std::size_t hops = 0; hops < list.size(); ++hops) root = cause_of(root, list);
      if (e != i && root == i) causes.back().effects.push_back(list[e].name);
    }
  }
  return causes;
}

}  // namespace

std::vector<Anomaly> diagnosis(std::span<const Anomaly> anomalies) {
  std::vector<Anomaly> causes;
  for (const Severity severity : {Severity::warning, Severity::note})
    for (const Anomaly& anomaly : anomalies)
      if (anomaly.severity == severity && std::ranges::find(causes, anomaly.name, &Anomaly::name) == causes.end())
        causes.push_back(anomaly);
  promote_causes(causes);
  std::ranges::stable_sort(causes, {}, [](const Anomaly& a) { return std::pair(a.severity, a.rank); });
  causes = without_effects(causes);
  const auto is_other = [](const Anomaly& a) { return a.severity != Severity::warning || a.rank > Rank::setup; };
  const auto from = std::ranges::find(causes, Rank::setup, &Anomaly::rank),
             to = std::find_if(from, causes.end(), is_other);
  spread_subjects({from, to});
  return causes;
}

std::string diagnosis_text(std::span<const Anomaly> anomalies, const std::map<std::string, std::int64_t>& counts) {
  std::string all;
  for (const Anomaly& anomaly : diagnosis(anomalies)) {
    if (anomaly.step > 0) all += "step " + std::to_string(anomaly.step) + ": ";
    if (anomaly.severity == Severity::note) all += "note: ";
    all += anomaly.name + ": " + anomaly.text();
    const auto count = counts.find(anomaly.name);
    if (count != counts.end() && count->second > 1) all += " (reported " + std::to_string(count->second) + " times)";
    all += '\n';
  }
  return all;
}

std::string Anomaly::headline() const {
  std::string line = step > 0 ? "step " + std::to_string(step) + ": " : std::string();
  line += name + ": ";
  if (!where.empty()) line += where + ": ";
  line += evidence;
  if (action != Action::proceed) line += std::string("; ") + short_name(action, lr_factor < 1);
  if (!remedy.empty()) line += "; try: " + remedy;
  return line;
}

std::string Anomaly::text() const {
  std::string all = where.empty() ? evidence : where + ": " + evidence;
  if (!details.empty()) all += "; " + details;
  if (!cause.empty()) all += "; likely cause: " + cause;
  if (action != Action::proceed) all += "; " + action_text();
  if (!remedy.empty()) all += "; try: " + remedy;
  for (std::size_t i = 0; i < effects.size(); ++i) all += (i == 0 ? "; it explains " : ", ") + effects[i];
  return all;
}

std::string Anomaly::action_text() const {
  if (action == Action::rollback && lr_factor == 1) return "the run returns to the last good state";
  return to_string(action);
}

const char* to_string(Action action) {
  switch (action) {
    case Action::proceed:
      return "training continues";
    case Action::skip:
      return "the step is skipped";
    case Action::reduce_lr:
      return "the step is skipped and lr is lowered";
    case Action::rollback:
      return "the run returns to the last good state, with a lower lr";
    case Action::stop:
      return "training stops";
  }
  return "unknown";
}

}  // namespace handrail::train

#include "emit/program_states.h"

#include <algorithm>
#include <limits>

namespace portwright::emit {

using lift::Flow;
using trace::LoopTurn;

namespace {

constexpr auto kAll = std::numeric_limits<ValueId>::max();

}  // namespace

ProgramStates::ProgramStates(
    ModuleWriter& w,
    const Roles& roles,
    ValueId embedded)
    : w_(w), context_(w.context()), roles_(roles), chain_{embedded} {
  find_loops();
  find_reads();
  find_chain(0, 0, static_cast<ValueId>(context_.trace.values.size()));
  find_beside();
  find_kept();
}

void ProgramStates::find_loops() {
  const auto has_call = [&](const LoopTurn& turn) {
    return std::any_of(
        roles_.layer_frames.begin(),
        roles_.layer_frames.end(),
        [&](const Frame* call) {
          const ValueId id = call->outputs.front();
          return turn.begin <= id && id < turn.end;
        });
  };
  for (const LoopTurn& turn : roles_.backbone->turns) {
    Loop& loop = loops_[turn.loop];
    loop.outer = turn.outer;
    loop.begin = loop.turns.empty() ? turn.begin : loop.begin;
    loop.end = std::max(loop.end, turn.end);
    loop.turns.push_back(&turn);
  }
  std::erase_if(loops_, [&](const auto& entry) {
    return std::none_of(
        entry.second.turns.begin(),
        entry.second.turns.end(),
        [&](const auto* turn) { return has_call(*turn); });
  });
}

/// Where what the model's output is computed from is read: the outputs of the
/// operations and calls that read it.
void ProgramStates::find_reads() {
  const ValueId output = roles_.backbone->outputs.front();
  reads_[output].insert(static_cast<ValueId>(context_.trace.values.size()));
  std::set<ValueId> seen;
  std::vector<ValueId> pending{output};
  while (!pending.empty()) {
    const ValueId id = pending.back();
    pending.pop_back();
    const auto made = w_.graph().producers.find(id);
    if (!seen.insert(id).second || made == w_.graph().producers.end()) {
      continue;
    }
    const auto& inputs =
        made->second.op ? made->second.op->inputs : made->second.call->inputs;
    for (ValueId input : inputs) {
      if (context_.flows.of(input) == Flow::Data) {
        reads_[input].insert(id);
        pending.push_back(input);
      }
    }
  }
}

std::vector<ValueId>
ProgramStates::live(ValueId from, ValueId to, ValueId at, ValueId until) const {
  std::vector<ValueId> out;
  for (auto it = reads_.lower_bound(from); it != reads_.end() && it->first < to;
       ++it) {
    const auto read = it->second.lower_bound(at);
    if (read != it->second.end() && *read < until) {
      out.push_back(it->first);
    }
  }
  return out;
}

/// What `h` is, in the order of making: what calls answer, and at the begin and
/// the end of a turn the state that goes on.
void ProgramStates::find_chain(uint32_t outer, ValueId begin, ValueId end) {
  for (const auto& item : items_in(outer, begin, end)) {
    if (item.call) {
      chain_.push_back(item.call->outputs.front());
      continue;
    }
    const Loop& loop = loops_.at(item.loop);
    if (const auto ids = live(1, loop.begin, loop.begin, loop.end);
        !ids.empty() && ids.back() > chain_.back()) {
      chain_.push_back(ids.back());
    }
    for (const LoopTurn* turn : loop.turns) {
      find_chain(item.loop, turn->begin, turn->end);
      const auto ids = live(turn->begin, turn->end, turn->end, kAll);
      if (!ids.empty() && ids.back() > chain_.back()) {
        chain_.push_back(ids.back());
      }
    }
  }
}

/// x + layer(x): neither has been read for the last time before their sum is
/// made. In every turn, or else the turns would differ.
void ProgramStates::find_beside() {
  const auto turn_of = [&](ValueId id) -> const LoopTurn* {
    const LoopTurn* out = nullptr;
    for (const auto& [run, loop] : loops_) {
      for (const LoopTurn* turn : loop.turns) {
        const bool inner =
            !out || turn->end - turn->begin < out->end - out->begin;
        if (turn->begin <= id && id < turn->end && inner) {
          out = turn;
        }
      }
    }
    return out;
  };
  const auto last_read = [&](ValueId id) {
    const auto it = reads_.find(id);
    return it == reads_.end() ? 0 : *it->second.rbegin();
  };
  std::set<ValueId> found;
  size_t calls = 0;
  for (const Frame* call : roles_.layer_frames) {
    const ValueId id = call->outputs.front();
    const auto at = std::find(chain_.begin(), chain_.end(), id);
    if (!turn_of(id) || at == chain_.begin() || at == chain_.end()) {
      continue;
    }
    ++calls;
    const auto next = std::next(at);
    if (next == chain_.end() || turn_of(*next) != turn_of(id)) {
      continue;
    }
    const ValueId before = last_read(*std::prev(at));
    if (id < before && before <= *next && last_read(id) <= *next) {
      found.insert(id);
    }
  }
  if (found.size() == calls) {
    beside_ = std::move(found);
    std::erase_if(chain_, [&](ValueId id) { return beside_.contains(id); });
  }
}

std::vector<ProgramStates::Item>
ProgramStates::items_in(uint32_t outer, ValueId begin, ValueId end) const {
  std::vector<Item> out;
  for (const auto& [run, loop] : loops_) {
    if (loop.outer == outer && begin <= loop.begin && loop.begin < end) {
      out.push_back({loop.begin, nullptr, run});
    }
  }
  for (const Frame* call : roles_.layer_frames) {
    const ValueId id = call->outputs.front();
    const bool inside = std::any_of(out.begin(), out.end(), [&](const Item& i) {
      return !i.call && loops_.at(i.loop).begin <= id &&
             id < loops_.at(i.loop).end;
    });
    if (begin <= id && id < end && !inside) {
      out.push_back({id, call, 0});
    }
  }
  std::sort(out.begin(), out.end(), [](const Item& a, const Item& b) {
    return a.at < b.at;
  });
  return out;
}

uint32_t ProgramStates::outermost(ValueId id) const {
  for (const auto& [run, loop] : loops_) {
    if (!loop.outer && loop.begin <= id && id < loop.end) {
      return run;
    }
  }
  return 0;
}

/// The longest list that one operation reads, where each other such list is the
/// begin of it.
std::vector<ValueId> ProgramStates::read_as_a_whole() const {
  std::vector<ValueId> out;
  const auto is_state = [&](ValueId id) {
    return std::find(chain_.begin(), chain_.end(), id) != chain_.end();
  };
  for (const OpNode* op : w_.graph().ops) {
    const bool whole =
        (op->op->name == "stack" || op->op->name == "cat") &&
        op->inputs.size() > 1 && reads_.contains(op->outputs.front()) &&
        std::all_of(op->inputs.begin(), op->inputs.end(), is_state) &&
        std::is_sorted(op->inputs.begin(), op->inputs.end());
    if (whole && op->inputs.size() > out.size()) {
      out = op->inputs;
    }
  }
  // Two states put side by side are no list.
  return out.size() > 2 ? out : std::vector<ValueId>{};
}

/// What the last turn of a loop hands on; 0 where that is unknown.
ValueId ProgramStates::last_state(const Loop& loop) const {
  ValueId out = 0;
  for (ValueId id : chain_) {
    out = loop.turns.back()->begin <= id && id < loop.end ? id : out;
  }
  return out;
}

bool ProgramStates::is_after(ValueId id) const {
  return std::any_of(after_.begin(), after_.end(), [&](const auto& entry) {
    return entry.second == id;
  });
}

/// What a loop keeps of one turn it keeps of all.
void ProgramStates::add_like(std::set<ValueId>& kept) const {
  const auto place = [&](ValueId id) -> std::pair<uint32_t, ptrdiff_t> {
    for (const auto& [run, loop] : loops_) {
      for (const LoopTurn* turn : loop.turns) {
        const bool inside = std::any_of(
            loops_.begin(), loops_.end(), [&, run = run](const auto& other) {
              return other.second.outer == run && other.second.begin <= id &&
                     id < other.second.end;
            });
        if (!inside && turn->begin <= id && id < turn->end) {
          return {
              run,
              std::count_if(chain_.begin(), chain_.end(), [&](ValueId other) {
                return turn->begin <= other && other < id;
              })};
        }
      }
    }
    return {};
  };
  std::set<std::pair<uint32_t, ptrdiff_t>> places;
  for (ValueId id : kept) {
    places.insert(place(id));
  }
  for (ValueId id : chain_) {
    if (const auto at = place(id); at.first && places.contains(at)) {
      kept.insert(id);
    }
  }
}

/// States that are read after the next one has taken their place.
std::set<ValueId> ProgramStates::read_late() const {
  std::set<ValueId> out;
  for (size_t i = 0; i + 1 < chain_.size(); ++i) {
    const auto read = reads_.find(chain_[i]);
    if (read != reads_.end() && *read->second.rbegin() > chain_[i + 1]) {
      out.insert(chain_[i]);
    }
  }
  return out;
}

void ProgramStates::refuse_others() const {
  for (const auto& [run, loop] : loops_) {
    for (const LoopTurn* turn : loop.turns) {
      for (ValueId id : live(turn->begin, turn->end, turn->end, kAll)) {
        if (std::find(chain_.begin(), chain_.end(), id) == chain_.end()) {
          context_.hole(
              roles_.backbone->call,
              "'" + roles_.backbone->path +
                  "' hands more than its states from turn to turn");
        }
      }
    }
  }
}

/// In a variable, or with others of the loop in a list.
void ProgramStates::keep(ValueId id, std::map<uint32_t, size_t>& lists) {
  const uint32_t loop = is_after(id) ? 0 : outermost(id);
  if (const auto known = lists.find(loop); loop && known != lists.end()) {
    kept_[known->second].members.push_back(id);
    kept_of_[id] = known->second;
    return;
  }
  const auto& names = context_.trace.info(id).names;
  const std::string own =
      names.size() > 1 ? house_name(names.back().str()) : "";
  const std::string name = loop              ? "states"
                           : id == chain_[0] ? "embeddings"
                           : own.size() > 1  ? own
                                             : "first_states";
  if (loop) {
    lists[loop] = kept_.size();
  }
  kept_of_[id] = kept_.size();
  kept_.push_back({w_.fresh(name), loop != 0, {id}});
}

void ProgramStates::find_kept() {
  refuse_others();
  std::set<ValueId> late = read_late();
  if (const auto whole = read_as_a_whole(); !whole.empty()) {
    kept_.push_back({w_.fresh("states"), true, whole});
    for (ValueId id : whole) {
      kept_of_[id] = 0;
      late.erase(id);
    }
  }
  for (const auto& [run, loop] : loops_) {
    const ValueId id = last_state(loop);
    const auto first = late.lower_bound(loop.begin);
    if (id && first != late.end() && *first == id && !loop.outer) {
      after_[run] = id;
    }
  }
  for (const auto& [run, id] : after_) {
    late.erase(id);
  }
  add_like(late);
  for (const auto& [run, id] : after_) {
    late.insert(id);
  }
  std::map<uint32_t, size_t> lists;
  for (ValueId id : late) {
    keep(id, lists);
  }
}

ValueId ProgramStates::next_state(ValueId after, ValueId end) const {
  const auto it = std::find_if(chain_.begin(), chain_.end(), [&](ValueId id) {
    return id > after && id < end;
  });
  return it == chain_.end() ? 0 : *it;
}

ProgramStates::Kept* ProgramStates::kept(ValueId id) {
  const auto it = kept_of_.find(id);
  return it == kept_of_.end() ? nullptr : &kept_[it->second];
}

ValueId ProgramStates::kept_after(uint32_t run) const {
  const auto it = after_.find(run);
  return it == after_.end() ? 0 : it->second;
}

}  // namespace portwright::emit

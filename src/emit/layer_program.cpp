#include "emit/layer_program.h"

#include <algorithm>
#include <limits>

#include "emit/backbone_parts.h"
#include "emit/layer_caches.h"
#include "emit/statements.h"
#include "emit/turns.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;
using lift::Flow;
using trace::LoopTurn;

namespace {

constexpr const char* kIndices[] = {"i", "j", "n"};
/// Stands for states that others have taken the place of.
constexpr char kGone = '\x06';

}  // namespace

LayerProgram::LayerProgram(
    ModuleWriter& w,
    const Roles& roles,
    const Masks& masks,
    std::vector<LayerList> lists,
    ValueId embedded)
    : w_(w),
      context_(w.context()),
      roles_(roles),
      lists_(std::move(lists)),
      states_(w, roles, embedded),
      current_(embedded) {
  if (!masks.recurrent.empty() || masks.mixed() || masks.attentions > 1 ||
      !masks.index.empty() || !masks.uncached.empty() || masks.any_chunked ||
      context_.shared_keys.any()) {
    hole(*roles.backbone, "runs layers in loops that keep more than keys");
  }
  std::set<int64_t> slots;
  for (const Frame* call : roles.layer_frames) {
    for (const int64_t slot : layer_indices(*call)) {
      if (!slots.insert(slot).second) {
        hole(*call, "keeps keys in a cache that another call keeps them in");
      }
    }
  }
  w.reserve({"i", "j", "n", "layer", "caches"});
}

void LayerProgram::hole(const Frame& call, const std::string& what) {
  context_.hole(call.call, "'" + call.path + "' " + what);
}

std::string LayerProgram::below_backbone(const std::string& path) const {
  return path_below(roles_.backbone->path, path);
}

/// All that a list holds so far, the last by its own name or as `h`.
std::string LayerProgram::whole(const Kept& kept, bool current) {
  std::string all;
  for (size_t i = 0; i < kept.made; ++i) {
    const bool last = current && i + 1 == kept.made;
    all +=
        (i ? ", " : "[") + (last ? "h" : element_mark(kept.name, i, kept.made));
  }
  return all + "]";
}

/// A list that is read as a whole by its name.
std::string LayerProgram::with_lists(std::string text) const {
  for (const Kept& kept : states_.kept()) {
    for (const bool current : {false, true}) {
      if (kept.list && kept.made > 0) {
        replace_all(text, whole(kept, current), kept.name);
      }
    }
  }
  return text;
}

std::vector<std::string> LayerProgram::apart(
    const std::function<void()>& write) {
  return w_.written_apart({}, write);
}

/// `h` is that from now on.
void LayerProgram::now(ValueId id, std::vector<std::string>& lines) {
  const ValueId before = std::exchange(current_, id);
  if (before != id && !states_.kept(before)) {
    w_.bind(before, std::string(1, kGone));
  }
  w_.bind(id, "h");
  if (!states_.is_after(id)) {
    keep(id, lines);
  }
}

/// ... and what is read later has a name of its own.
void LayerProgram::keep(ValueId id, std::vector<std::string>& lines) {
  if (Kept* kept = states_.kept(id)) {
    if (!kept->list) {
      lines.push_back(kept->name + " = h");
      w_.bind(id, kept->name);
    } else if (kept->made++ == 0 && !states_.outermost(id)) {
      lines.push_back(kept->name + " = [h]");
    } else {
      lines.push_back(kept->name + ".append(h)");
    }
  }
  for (const Kept& kept : states_.kept()) {
    for (size_t i = 0; kept.list && i < kept.made; ++i) {
      if (kept.members[i] != current_) {
        w_.bind(kept.members[i], element_mark(kept.name, i, kept.made));
      }
    }
  }
}

/// Names what was made before `at` and is read after it, `state` apart.
void LayerProgram::name_live(ValueId at, ValueId state) {
  constexpr auto kAll = std::numeric_limits<ValueId>::max();
  for (ValueId id : states_.live(1, at, at + 1, kAll)) {
    const auto made = w_.graph().producers.find(id);
    const bool layer = std::any_of(
        roles_.layer_frames.begin(),
        roles_.layer_frames.end(),
        [&](const Frame* call) { return call->outputs.front() == id; });
    if (id != state && id != current_ && !w_.is_named(id) && !layer &&
        made != w_.graph().producers.end()) {
      w_.name(id);
    }
  }
}

std::string LayerProgram::target(const Frame& call, size_t depth) {
  const std::string below = below_backbone(call.path);
  const std::string list = list_path(below);
  if (list.empty()) {
    return access_text("self", below);
  }
  std::string text;
  if (call.picked && eval::depends_on_loop(call.picked) && depth > 0) {
    text = eval::to_string(
        call.picked, [&](const Provenance& p) -> std::optional<std::string> {
          if (p.kind == Provenance::Kind::Loop) {
            return kIndices[depth - 1];
          }
          if (p.kind != Provenance::Kind::Config) {
            return {};
          }
          const std::string field = context_.args_text(&p);
          const std::string name = field.substr(field.rfind('.') + 1);
          w_.initialise(name, field);
          return "self." + name;
        });
  }
  return access_text("self", list) + "[" +
         pick_mark(index_in_list(below), text) + "]";
}

LayerProgram::Block LayerProgram::call(const Frame& call, size_t depth) {
  Block out;
  out.caches = "1";
  const auto given = states_of(context_, call);
  if (given.empty()) {
    hole(call, "is given no states");
  }
  const bool beside = states_.is_beside(call.outputs.front());
  out.lines = apart([&] {
    name_live(call.outputs.front(), 0);
    const trace::Twin* half = context_.evaluation.half;
    std::vector<std::string> args;
    for (ValueId id : given) {
      const auto at = static_cast<size_t>(
          std::find(call.inputs.begin(), call.inputs.end(), id) -
          call.inputs.begin());
      const auto dtype = half ? half->input_dtype(call, at) : std::nullopt;
      args.push_back(w_.converted(w_.value(id), id, dtype).text);
    }
    std::string answers = beside ? w_.fresh("y") : "h";
    if (beside) {
      w_.bind(call.outputs.front(), answers);
    }
    for (const Carried& carried : context_.carried) {
      args.push_back(carried.name);
      answers += ", " + carried.name;
    }
    args.insert(args.end(), {"mask", "next(caches)"});
    w_.statement(
        answers + " = " + target(call, depth) + "(" + join(args) + ")");
  });
  if (!beside) {
    now(call.outputs.front(), out.lines);
  }
  return out;
}

LayerProgram::Block
LayerProgram::run(uint32_t outer, ValueId begin, ValueId end, size_t depth) {
  Block out;
  for (const Item& item : states_.items_in(outer, begin, end)) {
    const Block more =
        item.call ? call(*item.call, depth) : loop(item.loop, depth + 1);
    out.lines.insert(out.lines.end(), more.lines.begin(), more.lines.end());
    out.caches += (out.caches.empty() ? "" : " + ") + more.caches;
  }
  return out;
}

/// What must be there before a loop: the state it begins with, lists that it
/// appends to, and whatever it reads.
std::vector<std::string> LayerProgram::before(const Loop& loop) {
  const ValueId next = states_.next_state(current_, loop.begin);
  auto lines = apart([&] {
    name_live(loop.begin, next);
    if (next) {
      go_on_with(next);
    }
  });
  if (next) {
    now(next, lines);
  }
  for (const Kept& kept : states_.kept()) {
    const ValueId first = kept.members.front();
    if (kept.list && !loop.outer && loop.begin <= first && first < loop.end) {
      lines.push_back(kept.name + " = []");
    }
  }
  return lines;
}

LayerProgram::Block LayerProgram::loop(uint32_t run_id, size_t depth) {
  const ProgramStates::Loop& loop = states_.loop(run_id);
  const Frame& first = *roles_.layer_frames.front();
  if (depth > std::size(kIndices)) {
    hole(first, "lies in more loops than can be told apart");
  }
  Block out;
  out.lines = before(loop);
  Turns turns;
  turns.index = kIndices[depth - 1];
  turns.aliases = {"h"};
  if (const Kept* kept = states_.kept(current_)) {
    turns.aliases.push_back(
        kept->list ? element_mark(kept->name, kept->made - 1, kept->made)
                   : kept->name);
  }
  const std::set<std::string> names = w_.used_names();
  std::string caches;
  for (const LoopTurn* turn : loop.turns) {
    w_.use_names(names);
    Block block = run(run_id, turn->begin, turn->end, depth);
    end_turn(*turn, block.lines);
    if (turn != loop.turns.front() && block.caches != caches) {
      hole(first, "is run by a loop whose turns keep different caches");
    }
    caches = block.caches;
    turns.lines.push_back(std::move(block.lines));
  }
  auto lines = rolled(turns);
  if (!lines) {
    hole(first, "is run by a loop whose turns differ");
  }
  std::string count;
  out.lines.push_back(header(loop, turns.index, *lines, count));
  for (const std::string& line : *lines) {
    out.lines.push_back("    " + line);
  }
  out.caches = caches == "1" ? count
                             : count + " * " +
                                   (caches.find(' ') == std::string::npos
                                        ? caches
                                        : "(" + caches + ")");
  if (const ValueId id = states_.kept_after(run_id)) {
    keep(id, out.lines);
  }
  return out;
}

void LayerProgram::go_on_with(ValueId state) {
  const std::string text = with_lists(w_.produce(state).text);
  if (text != "h") {
    w_.statement("h = " + text);
  }
}

/// The state that goes on is `h`.
void LayerProgram::end_turn(
    const LoopTurn& turn,
    std::vector<std::string>& lines) {
  const ValueId id = states_.next_state(current_, turn.end);
  if (!id) {
    return;
  }
  const auto more = apart([&] { go_on_with(id); });
  lines.insert(lines.end(), more.begin(), more.end());
  now(id, lines);
}

/// How a loop begins, and how often it turns in terms of ModelArgs. Where each
/// turn takes the next layer of a list, it goes over the list.
std::string LayerProgram::header(
    const Loop& loop,
    const std::string& index,
    std::vector<std::string>& lines,
    std::string& count) {
  const auto turns = static_cast<int64_t>(loop.turns.size());
  for (const auto& [path, constructor, layers] : lists_) {
    const std::string below = below_backbone(path);
    const std::string element = access_text("self", below) + "[" + index + "]";
    const auto uses = [&](const std::string& line) {
      return line.find(element) != std::string::npos;
    };
    if (length_of(context_, path) != turns ||
        std::none_of(lines.begin(), lines.end(), uses)) {
      continue;
    }
    for (std::string& line : lines) {
      replace_all(line, element, "layer");
    }
    count = layers;
    const std::string list = access_text("self", below);
    return count_of(lines, index)
               ? "for " + index + ", layer in enumerate(" + list + "):"
               : "for layer in " + list + ":";
  }
  const Provenance* bound = loop.turns.front()->bound;
  if (!bound) {
    hole(
        *roles_.layer_frames.front(),
        "is run by a loop that no number of the config ends");
  }
  count = context_.args_text(bound);
  const Expression end = w_.scalar(Value::integer(turns).with(bound));
  return "for " + (count_of(lines, index) ? index : std::string("_")) +
         " in range(" + end.text + "):";
}

void LayerProgram::write() {
  std::vector<ValueId> read, answered;
  for (const Frame* call : roles_.layer_frames) {
    const auto given = states_of(context_, *call);
    read.insert(read.end(), given.begin(), given.end());
    answered.push_back(call->outputs.front());
  }
  for (ValueId id : answered) {
    w_.bind(id, "h");
  }
  w_.count_uses(read);
  for (ValueId id : answered) {
    w_.forget(id);
  }
  for (const auto& [path, constructor, count] : lists_) {
    const std::string below = below_backbone(path);
    if (length_of(context_, path) < 0) {
      w_.member(below, constructor);
    } else {
      w_.initialise(
          below, "[" + constructor + " for i in range(" + count + ")]");
    }
  }
  w_.write_with([this](std::string text) { return with_lists(text); });
  std::vector<std::string> lines;
  now(current_, lines);
  const Block block =
      run(0, 1, static_cast<ValueId>(context_.trace.values.size()), 0);
  lines.insert(lines.end(), block.lines.begin(), block.lines.end());
  w_.write_with({});
  w_.count_lists_by([&context = context_, lists = lists_](size_t length) {
    const auto as_long = [&](const LayerList& list) {
      return length_of(context, list.path) == static_cast<int64_t>(length);
    };
    const auto it = std::find_if(lists.begin(), lists.end(), as_long);
    return it == lists.end() ? std::string() : it->count;
  });
  w_.initialise("n_caches", block.caches);
  w_.statement("caches = iter(cache)");
  for (const Carried& carried : context_.carried) {
    w_.statement(carried.name + " = None");
  }
  for (std::string& line : outside_loops(std::move(lines))) {
    if (line.find(kGone) != std::string::npos) {
      hole(*roles_.backbone, "reads states that are gone");
    }
    w_.statement(std::move(line));
  }
  read_lists_after();
}

/// What follows reads lists as a whole, or elements by their numbers.
void LayerProgram::read_lists_after() {
  std::vector<std::pair<std::string, std::string>> wholes;
  for (const Kept& kept : states_.kept()) {
    if (kept.list) {
      for (const bool current : {false, true}) {
        wholes.emplace_back(whole(kept, current), kept.name);
      }
    }
  }
  w_.write_with([wholes](std::string text) {
    for (const auto& [list, name] : wholes) {
      replace_all(text, list, name);
    }
    return outside_loops({std::move(text)}).front();
  });
}

}  // namespace portwright::emit

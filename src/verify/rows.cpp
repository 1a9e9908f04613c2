#include "verify/rows.h"

#include "verify/given.h"
#include "verify/locate.h"
#include "verify/made_of.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

struct Wrong {
  std::string module;
  /// It is what the module is given.
  bool input = false;
};

/// What is evaluated of rows together, and of one of them alone.
struct Evaluation {
  std::string rows;  // prefixes of the keys
  std::string alone;
  /// Of a piece of a prompt: where it lies in the row.
  std::optional<std::pair<int64_t, int64_t>> positions = {};
};

/// One row of a run of several beside a run of it alone.
struct Beside {
  size_t index = 0;
  std::vector<Evaluation> evaluations;
  /// Positions of padding before the row.
  int64_t padding = 0;
};

Array without_padding(const Array& array, int64_t padding) {
  return padding ? slice_positions(array, padding, array.shape[1]) : array;
}

/// The first module that is wrong in a row though what goes in is right, as the
/// port itself computes that row alone: of several, the innermost. Else the
/// first that is given something wrong. Empty: none.
std::optional<Wrong> find_wrong(
    Session& session,
    const Run& rows,
    const Run& alone,
    const Beside& beside) {
  const auto near = [&](const Evaluation& evaluation, const std::string& key) {
    const auto a = rows.find(evaluation.rows + key);
    auto b = alone.find(evaluation.alone + key);
    if (!a || !b || a->shape.size() != 3 || b->shape.size() != 3 ||
        a->shape[0] <= static_cast<int64_t>(beside.index)) {
      return std::optional<bool>();
    }
    auto mine = row(*a, static_cast<int64_t>(beside.index));
    if (mine.shape[1] - beside.padding < 1) {
      return std::optional<bool>();
    }
    mine = without_padding(mine, beside.padding);
    if (const auto& piece = evaluation.positions) {
      mine = slice_positions(mine, 0, piece->second - piece->first);
      b = slice_positions(*b, piece->first, piece->second);
    }
    const auto difference = compare(mine, *b);
    return std::optional(
        difference && difference->relative <= session.logits_threshold());
  };
  std::optional<Wrong> out;
  std::optional<Wrong> given;
  for (const auto& evaluation : beside.evaluations) {
    for (const auto& path : rows.order) {
      const auto in = near(evaluation, "in:" + path);
      const auto result = near(evaluation, "out:" + path);
      const bool wrong = in && *in && result && !*result;
      if (wrong && (!out || path.starts_with(out->module + "."))) {
        out = {path, false};
      }
      if (in && !*in && !given) {
        given = {path, true};
      }
    }
    if (out) {
      break;
    }
  }
  return out ? out : given;
}

/// The port's logits of a row are those of the row alone: not the batch is at
/// fault.
bool agree(
    Session& session,
    const Together& together,
    const Run& rows,
    const Run& alone,
    const Beside& beside) {
  const auto all = rows.find("logits");
  const auto own = alone.find("logits");
  if (!all || !own) {
    return false;
  }
  const auto mine = row(*all, static_cast<int64_t>(beside.index));
  const bool padded = together.way == Together::Padded;
  const auto difference = compare(
      without_padding(mine, beside.padding),
      padded ? *own : slice_positions(*own, 1, own->shape[1]));
  return difference && difference->relative <= session.logits_threshold();
}

/// What asks the port for the rows, and for one of them alone.
struct Question {
  std::string op;
  json rows;
  RunRequest alone;
  Beside beside;
};

Question question_of(const Plan& plan, const Together& together, size_t index) {
  Question out;
  out.beside.index = index;
  out.alone.capture = ".*";
  if (together.way == Together::Padded) {
    out.op = "left_padded";
    out.rows = {{"prompts", plan.batch}};
    out.alone.ids = {plan.batch[index]};
    out.beside.evaluations.push_back({"", ""});
    size_t longest = 0;
    for (const auto& prompt : plan.batch) {
      longest = std::max(longest, prompt.size());
    }
    out.beside.padding =
        static_cast<int64_t>(longest - plan.batch[index].size());
  } else {
    out.op = "batch";
    out.rows = batch_request(plan);
    if (together.chunk) {
      out.rows["chunk"] = together.chunk;
    }
    out.alone.ids = {row_ids(plan, index)};
    const auto length = static_cast<int64_t>(plan.batch[index].size()) - 1;
    out.alone.prefill = static_cast<int>(length);
    const int64_t size = together.chunk ? together.chunk : length;
    for (int64_t at = 0; at < length; at += size) {
      out.beside.evaluations.push_back(
          {fmt::format("piece{}/", at / size),
           "step0/",
           std::pair(at, std::min(at + size, length))});
    }
    const auto steps = plan.batch_steps[index].size();
    for (size_t step = 0; step <= steps; ++step) {
      out.beside.evaluations.push_back(
          {fmt::format("step{}/", step), fmt::format("step{}/", step + 1)});
    }
  }
  out.rows["capture"] = ".*";
  return out;
}

/// The module is right with a mask that its layer's cache asks for, or a part
/// of that cache does: the kind of cache that asked. Empty: it is not.
std::string cache_that_asks(
    Session& session,
    const Question& question,
    const Wrong& wrong,
    int layer,
    const Run& alone) {
  for (const int part : {0, 1}) {
    auto request = question.rows;
    request["masked"] = {wrong.module, layer, part};
    json facts;
    const auto run = session.candidate().tensors(question.op, request, &facts);
    const auto found = run ? find_wrong(session, *run, alone, question.beside)
                           : std::optional(wrong);
    if (!found || found->module != wrong.module) {
      return facts.value("masked", "");
    }
  }
  return "";
}

/// A state that is right in its row alone is to be told how far it has come:
/// the line of the port that writes the last of them.
void name_last_state(const Session& session, Place& place) {
  const auto layer = static_cast<size_t>(*place.layer);
  if (layer >= session.caches().size() ||
      session.caches()[layer] != "ArraysCache") {
    return;
  }
  if (const auto line = line_of_last_state(session)) {
    place.given_line = line;
  }
}

Outcome<Place>
locate_row(Session& session, const Together& together, size_t index) {
  const auto question = question_of(session.plan(), together, index);
  const auto rows = session.candidate().tensors(question.op, question.rows);
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  const auto alone = session.candidate().run(question.alone);
  if (!alone) {
    return tl::unexpected(alone.error());
  }
  if (agree(session, together, *rows, *alone, question.beside)) {
    return locate_in_run(session, question.alone);
  }
  const auto wrong = find_wrong(session, *rows, *alone, question.beside);
  if (!wrong) {
    return place_of_logits(session);
  }
  if (wrong->input) {
    return place_of_input(session, wrong->module);
  }
  Place out = place_at(session, wrong->module);
  if (out.layer) {
    const auto cache =
        cache_that_asks(session, question, *wrong, *out.layer, *alone);
    std::vector<std::string> prefixes;
    for (const auto& evaluation : question.beside.evaluations) {
      prefixes.push_back(evaluation.rows);
    }
    if (const auto other = find_overwriter(*rows, prefixes);
        other && !cache.empty()) {
      name_overwriter(session, out, *other);
    } else if (!cache.empty()) {
      name_mask(session, out, cache);
    }
    name_last_state(session, out);
  }
  return out;
}

}  // namespace

json batch_request(const Plan& plan) {
  return {{"prompts", plan.batch}, {"steps", plan.batch_steps}};
}

Ids row_ids(const Plan& plan, size_t index) {
  Ids out = plan.batch[index];
  const auto& steps = plan.batch_steps[index];
  out.insert(out.end(), steps.begin(), steps.end());
  return out;
}

Outcome<void> name_row(
    Session& session,
    const Together& together,
    size_t index,
    CheckResult& result) {
  auto place = locate_row(session, together, index);
  if (!place) {
    return tl::unexpected(place.error());
  }
  place->position = result.place.position;
  result.place = std::move(*place);
  return {};
}

}  // namespace portwright::verify

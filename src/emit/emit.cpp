#include "emit/emit.h"
#include "emit/layer_fields.h"

#include "emit/activations.h"
#include "emit/branches.h"
#include "emit/compiled_choice.h"
#include "emit/copies.h"
#include "emit/early_readers.h"
#include "emit/gaps.h"
#include "emit/guards.h"
#include "emit/latents.h"
#include "emit/mask_functions.h"
#include "emit/matrices.h"
#include "emit/model_writer.h"
#include "emit/moved_transposes.h"
#include "emit/operations.h"
#include "emit/pipeline.h"
#include "emit/precision_predicates.h"
#include "emit/separation.h"
#include "emit/sharding.h"
#include "emit/short_names.h"
#include "emit/short_statements.h"
#include "emit/token_rows.h"
#include "emit/variants.h"
#include "emit/yarn_magnitude.h"

namespace portwright::emit {

namespace {

std::string indented(const std::string& text) {
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = text.find('\n', at);
    end = end == std::string::npos ? text.size() : end;
    const std::string line = text.substr(at, end - at);
    out += line.empty() ? "\n" : "    " + line + "\n";
    at = end + 1;
  }
  return out;
}

std::string class_source(const ClassText& c) {
  std::string out = "class " + c.name + "(" + c.bases + "):\n";
  out += "    def __init__(self";
  for (const auto& p : c.init_params) {
    out += ", " + p;
  }
  out += "):\n        super().__init__()\n";
  for (const auto& line : c.init) {
    out += line.empty() ? "\n" : "        " + line + "\n";
  }
  out += "\n    def __call__(self";
  for (const auto& p : c.call_params) {
    out += ", " + p;
  }
  out += c.returns_tensor ? ") -> mx.array:\n" : "):\n";
  bool blank = true;  // no blank line first, none doubled
  for (const auto& line : c.call) {
    if (line.empty()) {
      out += blank ? "" : "\n";
      blank = true;
    } else {
      out += "        " + line + "\n";
      blank = false;
    }
  }
  for (const auto& m : c.methods) {
    out += "\n" + indented(m);
  }
  return out + "\n\n";
}

std::string import_lines(const Context& context, const std::string& body) {
  std::string out = "from dataclasses import dataclass\n";
  std::vector<std::string> typing;
  for (const char* name : {"Any", "Dict", "List", "Optional", "Union"}) {
    size_t at = 0;
    bool used = false;
    while ((at = body.find(name, at)) != std::string::npos) {
      const char after = body[at + std::string_view(name).size()];
      const char before = at ? body[at - 1] : ' ';
      used = used || (!std::isalnum(static_cast<unsigned char>(after)) &&
                      !std::isalnum(static_cast<unsigned char>(before)) &&
                      after != '_');
      ++at;
    }
    if (used) {
      typing.emplace_back(name);
    }
  }
  if (!typing.empty()) {
    out += "from typing import " + join(typing) + "\n";
  }
  std::string of_mlx;
  std::map<std::string, std::set<std::string>> local;
  local["base"].insert("BaseModelArgs");
  std::set<std::string> imports = context.imports;
  if (const size_t at = body.find("math.");
      at != std::string::npos && at > 0 &&
      !std::isalnum(static_cast<unsigned char>(body[at - 1])) &&
      body[at - 1] != '_') {
    imports.insert("math");  // what fields were computed with
  }
  if (!context.layer_fields.empty()) {
    imports.insert("copy");
  }
  for (const auto& entry : imports) {
    const size_t colon = entry.find(':');
    if (colon == std::string::npos) {  // a module of the standard library
      out = "import " + entry + "\n" + out;
      continue;
    }
    const std::string module = entry.substr(0, colon);
    const std::string name = entry.substr(colon + 1);
    if (module.starts_with("mlx.")) {
      of_mlx += "from " + module + " import " + name + "\n";
    } else {
      local[module].insert(name);
    }
  }
  out += "\nimport mlx.core as mx\nimport mlx.nn as nn\n" + of_mlx + "\n";
  for (const auto& [module, names] : local) {
    out += "from ." + module + " import " + join({names.begin(), names.end()}) +
           "\n";
  }
  return out + "\n\n";
}

}  // namespace

namespace {

/// What the drafts found out, in the first of them.
void gather(const std::vector<Context*>& drafts) {
  Context& all = *drafts.front();
  for (const Context* draft : drafts) {
    all.fields.insert(draft->fields.begin(), draft->fields.end());
    all.defaults.insert(draft->defaults.begin(), draft->defaults.end());
    all.imports.insert(draft->imports.begin(), draft->imports.end());
    all.layer_kinds.insert(
        draft->layer_kinds.begin(), draft->layer_kinds.end());
    all.own_elements.insert(
        draft->own_elements.begin(), draft->own_elements.end());
    all.convolutions.insert(
        draft->convolutions.begin(), draft->convolutions.end());
    for (const Guard& guard : draft->guards) {
      add_guard(all.guards, guard);
    }
    for (const Latent& latent : draft->latents) {
      add_unknown(all.latents, latent);
    }
    for (const auto& experts : draft->experts) {
      const bool known = std::any_of(
          all.experts.begin(), all.experts.end(), [&](const auto& e) {
            return e.source == experts.source;
          });
      if (!known) {
        all.experts.push_back(experts);
      }
    }
    all.looked_up.insert(draft->looked_up.begin(), draft->looked_up.end());
    all.specialised.insert(
        draft->specialised.begin(), draft->specialised.end());
    if (!all.activations.defined()) {
      all.activations = draft->activations;
    }
    all.chunked_masks = all.chunked_masks || draft->chunked_masks;
    all.key_positions = all.key_positions || draft->key_positions;
    if (all.layer_fields.empty()) {
      all.layer_fields = draft->layer_fields;
    }
    all.rope_by_kind = all.rope_by_kind || draft->rope_by_kind;
    all.rope_kinds.insert(draft->rope_kinds.begin(), draft->rope_kinds.end());
    all.rope_types.insert(draft->rope_types.begin(), draft->rope_types.end());
    all.own_ropes.insert(draft->own_ropes.begin(), draft->own_ropes.end());
    all.rope_fixed = all.rope_fixed || draft->rope_fixed;
    all.rope_own_base = all.rope_own_base || draft->rope_own_base;
    all.yarn_mscale = all.yarn_mscale || draft->yarn_mscale;
    all.needs_mask_array = all.needs_mask_array || draft->needs_mask_array;
  }
}

/// The hole that ended it, if one did.
std::optional<diagnostics::Diagnostic> write_draft(Context& context) {
  try {
    write_model(context);
    return {};
  } catch (const Hole& hole) {
    return hole.diagnostic;
  }
}

/// A draft with holes is for the first config, or for none.
bool serves(const Context& draft, size_t index) {
  return index == 0 || draft.holes.empty();
}

/// Notes in each draft the tests that are decided both ways.
void share_open_tests(const std::vector<Context*>& drafts) {
  std::map<uint32_t, bool> decided;
  std::set<uint32_t> open;
  for (const Context* draft : drafts) {
    for (const auto& branch : all_branches(draft->evaluation)) {
      const auto at = static_cast<uint32_t>(branch.span.begin);
      if (decided.try_emplace(at, branch.outcome).first->second !=
          branch.outcome) {
        open.insert(at);
      }
    }
  }
  for (Context* draft : drafts) {
    draft->open_tests = open;
  }
}

/// What the drafts of a file know of each other.
void take_shared(const Context& from, Context& to) {
  to.mask_kinds = from.mask_kinds;
  to.recurrent_kind = from.recurrent_kind;
  to.recurrent_states = from.recurrent_states;
  to.uncached_kinds = from.uncached_kinds;
  to.shares_like = from.shares_like;
  to.kinds_text = from.kinds_text;
  to.window = from.window;
  to.both_kind = from.both_kind;
  to.both_slides = from.both_slides;
  to.open_tests = from.open_tests;
  to.activation_tables = from.activation_tables;
  to.takes_mask_array = from.takes_mask_array;
  to.left_ropes = from.left_ropes;
}

/// Where one draft needs its masks as arrays, all take them so: the others are
/// written anew.
void share_mask_arrays(
    std::vector<Context*>& drafts,
    std::vector<std::unique_ptr<Context>>& contexts) {
  auto needs = [](const Context* draft) { return draft->needs_mask_array; };
  if (std::none_of(drafts.begin(), drafts.end(), needs)) {
    return;
  }
  for (Context*& draft : drafts) {
    if (draft->needs_mask_array) {
      continue;
    }
    const auto owner =
        std::find_if(contexts.begin(), contexts.end(), [&](const auto& c) {
          return c.get() == draft;
        });
    auto fresh = std::make_unique<Context>(draft->interp, draft->evaluation);
    take_shared(*draft, *fresh);
    fresh->takes_mask_array = true;
    if (!write_draft(*fresh)) {
      draft = fresh.get();
      *owner = std::move(fresh);
    }
  }
}

/// Writes a config of other numbers, and holds every line against the draft's.
/// Nothing where that cannot be written as the draft is.
std::optional<std::vector<diagnostics::Diagnostic>> built_in_numbers(
    const Context& draft,
    const Evaluation& numbers) {
  std::vector<diagnostics::Diagnostic> out;
  Context other(draft.interp, numbers);
  take_shared(draft, other);
  other.is_of_other_numbers = true;
  try {
    write_model(other);
  } catch (const Hole&) {
    return {};
  }
  std::set<std::string> known;
  auto compare = [&](const ClassText& c,
                     const std::vector<std::string>& lines,
                     const std::vector<std::string>& others) {
    if (std::is_permutation(
            lines.begin(), lines.end(), others.begin(), others.end())) {
      return;  // attributes are set as they are first met
    }
    for (size_t i = 0; i < std::min(lines.size(), others.size()); ++i) {
      if (lines[i] != others[i] && known.insert(lines[i]).second) {
        out.push_back(
            {diagnostics::Kind::UnsupportedStructure,
             "a number of this one configuration is built into '" + lines[i] +
                 "'",
             c.frame ? c.frame->call : base::Span{},
             "with other numbers it reads '" + others[i] +
                 "': the source computes it in a way that is not understood "
                 "yet",
             "",
             {}});
      }
    }
  };
  const size_t count = std::min(draft.classes.size(), other.classes.size());
  bool alike = draft.classes.size() == other.classes.size();
  for (size_t i = 0; i < count && alike; ++i) {
    const ClassText& a = draft.classes[i];
    const ClassText& b = other.classes[i];
    alike = a.name == b.name && a.init.size() == b.init.size() &&
            a.call.size() == b.call.size();
    if (a.name == b.name) {
      compare(a, a.init, b.init);
      compare(a, a.call, b.call);
    }
  }
  if (out.empty() && !alike) {
    return {};  // the structure is another, after all
  }
  return out;
}

std::set<std::string> lists_of_modules(const Context& draft) {
  std::set<std::string> out;
  for (const ClassText& c : draft.classes) {
    for (const std::string& line : c.init) {
      if (line.find(" = [") != std::string::npos && line.ends_with(")]") &&
          line.find(" for ") == std::string::npos) {
        out.insert(line);
      }
    }
  }
  return out;
}

/// True where a variant writes out a list of modules that the first draft does
/// not have: only that one is held against other numbers, and how many there
/// are may be one.
bool lists_anew(const Context& first, const Context& draft) {
  const auto known = lists_of_modules(first);
  const auto own = lists_of_modules(draft);
  return !std::includes(known.begin(), known.end(), own.begin(), own.end());
}

/// The table in which the file looks activations up, if it does.
std::string activation_entries(Context& context) {
  if (!context.activations.defined()) {
    return "";
  }
  std::string out = "ACTIVATIONS = {\n";
  for (const auto& [key, text] :
       activation_table(context, context.activations)) {
    out += "    \"" + key + "\": " + text + ",\n";
  }
  return out + "}\n\n\n";
}

/// A model that cannot be written as a whole: what can be of its layers, and a
/// stub.
void leave_model(Context& context, const diagnostics::Diagnostic& hole) {
  if (context.classes.empty()) {
    write_layers_alone(context);
  }
  context.classes.push_back(model_stub(context, hole));
}

bool all_have_stubs(
    const std::vector<diagnostics::Diagnostic>& holes,
    const Context& context) {
  return std::all_of(holes.begin(), holes.end(), [&](const auto& hole) {
    return std::any_of(
        context.gaps.begin(), context.gaps.end(), [&](const Gap& gap) {
          return gap.hole.span.begin == hole.span.begin &&
                 gap.hole.message == hole.message;
        });
  });
}

/// The drafts that can be one file; the first one is always among them.
std::vector<Context*> merged(
    Predicates& predicates,
    const std::vector<Context*>& drafts,
    std::vector<ClassText>& classes) {
  try {
    classes = merge_classes(predicates, drafts);
    return drafts;
  } catch (const Hole&) {
    if (drafts.size() == 1) {
      throw;
    }
  }
  std::vector<Context*> kept{drafts.front()};
  classes = merge_classes(predicates, kept);
  for (size_t i = 1; i < drafts.size(); ++i) {
    kept.push_back(drafts[i]);
    try {
      classes = merge_classes(predicates, kept);
    } catch (const Hole&) {
      kept.pop_back();
    }
  }
  return kept;
}

}  // namespace

Emitted emit_model(
    eval::Interpreter& interp,
    Predicates& predicates,
    const std::vector<const Evaluation*>& evaluations,
    const Evaluation* numbers,
    const std::string& kept,
    const std::map<std::string, bool>& served,
    const std::set<std::string>& left_ropes) {
  Emitted out;
  std::vector<std::unique_ptr<Context>> contexts;
  std::vector<Context*> drafts;
  std::vector<Context*> all;
  for (const Evaluation* evaluation : evaluations) {
    contexts.push_back(std::make_unique<Context>(interp, *evaluation));
    contexts.back()->activation_tables = contexts.front()->activation_tables;
    contexts.back()->left_ropes = left_ropes;
    all.push_back(contexts.back().get());
  }
  share_mask_kinds(all);
  share_open_tests(all);
  for (size_t i = 0; i < all.size() && out.holes.empty(); ++i) {
    if (auto hole = write_draft(*all[i]);
        !hole && serves(*all[i], i) && !lists_anew(*all.front(), *all[i])) {
      drafts.push_back(all[i]);
    } else if (hole && i == 0) {
      out.holes.push_back(std::move(*hole));
    }
  }
  share_mask_arrays(drafts, contexts);
  Context& context = *contexts.front();
  if (drafts.empty()) {
    drafts = {&context};
  }
  if (numbers && out.holes.empty() && context.holes.empty()) {
    auto found = built_in_numbers(context, *numbers);
    out.numbers_told = found.has_value();
    out.numbers = numbers->json;
    out.holes = std::move(found).value_or(out.holes);
    out.built_in = !out.holes.empty();
    if (!kept.empty()) {
      serve_one_value(context, kept, context.evaluation.json[kept].dump());
    }
  }
  for (const auto& [field, value] : served) {
    serve_one_side(context, field, value);
  }
  if (!out.holes.empty() && !out.built_in) {
    leave_model(context, out.holes.front());
  }
  try {
    std::vector<ClassText> classes;
    separate_classes(drafts);
    use_yarn_magnitude(drafts);
    out.tasks = tasks_of(context);
    try {
      drafts = merged(predicates, drafts, classes);
    } catch (const Hole& hole) {
      drafts = {&context};
      out.holes.push_back(hole.diagnostic);
      classes = one_of_each(context, hole.diagnostic);
      out.tasks = tasks_of(context);
    }
    gather(drafts);
    for (size_t i = 1; i < drafts.size(); ++i) {
      out.variants.push_back(drafts[i]->evaluation.json);
    }
    context.classes = std::move(classes);
    if (out.holes.empty()) {
      const auto moved = hold_matrices(context, drafts);
      const std::string sanitize = write_sanitize(context, moving_code(moved));
      if (!sanitize.empty()) {
        context.classes.back().methods.insert(
            context.classes.back().methods.begin(), sanitize);
      }
      for (auto& member : precision_predicates(drafts, context.classes)) {
        context.classes.back().methods.push_back(std::move(member));
      }
      if (context.gaps.empty()) {
        const bool parted =
            std::all_of(
                drafts.begin(),
                drafts.end(),
                [](Context* draft) { return keeps_its_form(*draft); }) &&
            add_pipeline(context.classes);
        if (parted) {
          context.imports.insert("pipeline:PipelineMixin");
        }
        auto shard = write_sharding(
            context.classes,
            parted || context.runs_program ? "layers" : context.layers_path);
        for (const auto& function : shard.functions) {
          context.imports.insert("mlx.nn.layers.distributed:" + function);
        }
        if (!shard.method.empty()) {
          context.classes.back().methods.push_back(std::move(shard.method));
        }
      }
    }
  } catch (const Hole& hole) {
    out.holes.push_back(hole.diagnostic);
  }
  std::string body = activation_entries(context);
  try {
    body += write_arguments(predicates.configs(), drafts, out.guards) + "\n\n";
  } catch (const Hole& hole) {
    out.holes.push_back(hole.diagnostic);
  }
  std::set<uint32_t> places;  // one hole a construct, not one a layer
  std::erase_if(context.holes, [&](const auto& hole) {
    return !places.insert(static_cast<uint32_t>(hole.span.begin)).second;
  });
  out.holes.insert(
      out.holes.begin(), context.holes.begin(), context.holes.end());
  out.fillable = !out.holes.empty() && all_have_stubs(out.holes, context);
  body += write_mask_functions(context);
  body += write_rope_classes(context);
  keep_tokens_in_place(context.classes);
  ChoiceFunctions functions;
  for (ClassText& c : context.classes) {
    name_layer(c);
    c.init = without_copies(std::move(c.init));
    use_short_names(c);
    c.call = with_shared_ends(with_fewest_names(
        c.call_params,
        with_moved_transposes(without_copies(std::move(c.call)))));
    body += compile_choice(c, functions);
    c.call = with_short_statements(c.call_params, std::move(c.call));
    body += class_source(c);
  }
  while (body.ends_with("\n\n")) {
    body.pop_back();
  }
  out.loops = context.runs_program;
  out.ropes = context.told_ropes;
  out.text = import_lines(context, body) + body;
  for (const auto& draft : contexts) {
    out.lift_ms += draft->lift_ms;
  }
  return out;
}

}  // namespace portwright::emit

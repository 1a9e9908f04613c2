#include "emit/variants.h"
#include "emit/config_text.h"

#include "base/pattern.h"
#include "emit/config_text.h"
#include "emit/copies.h"
#include "emit/early_readers.h"
#include "emit/flags.h"
#include "emit/guards.h"
#include "emit/moved_transposes.h"
#include "emit/named_offset.h"

namespace portwright::emit {

using eval::Value;
using trace::Branch;

const base::SourceFile* own_file(const Evaluation& evaluation) {
  for (const eval::Class* cls : evaluation.model.object()->cls->mro) {
    if (cls->span.file) {
      return cls->span.file;
    }
  }
  return nullptr;
}

namespace {

/// What attention's function itself calls repeats grouped keys, which the
/// fused form covers.
void collect(
    const Frame& frame,
    const base::SourceFile* file,
    bool modules,
    std::vector<Branch>& out) {
  const bool attends =
      std::any_of(frame.items.begin(), frame.items.end(), is_softmax);
  for (const auto& item : frame.items) {
    if (const auto* branch = std::get_if<Branch>(&item)) {
      if (branch->span.file == file && branch->condition) {
        out.push_back(*branch);
      }
    } else if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if ((*child)->is_module() ? modules : !attends) {
        collect(**child, file, modules, out);
      }
    }
  }
}

void collect_construction(
    const Evaluation& evaluation,
    const eval::Object* module,
    std::vector<Branch>& out) {
  const auto it = evaluation.trace->constructions.find(module);
  if (it == evaluation.trace->constructions.end()) {
    return;
  }
  for (const Branch& branch : it->second.branches) {
    if (branch.span.file == own_file(evaluation) && branch.condition) {
      out.push_back(branch);
    }
  }
}

}  // namespace

std::vector<Branch> branches_of(
    const Evaluation& evaluation,
    const Frame& frame) {
  std::vector<Branch> out;
  if (frame.module.defined()) {
    collect_construction(evaluation, frame.module.object(), out);
  }
  collect(frame, own_file(evaluation), false, out);
  return out;
}

std::vector<Branch> all_branches(const Evaluation& evaluation) {
  std::vector<Branch> out;
  for (const auto& [path, module] : evaluation.trace->modules) {
    collect_construction(evaluation, module.object(), out);
  }
  collect(evaluation.trace->root, own_file(evaluation), true, out);
  return out;
}

namespace {

/// One instance's class and where it comes from.
struct Instance {
  const ClassText* text;
  size_t draft;
  int64_t layer;  // -1: in none
};

/// The type of rope is initialize_rope's to ask for.
bool asks_for_rope(const Reads& reads) {
  return !reads.loop &&
         reads.fields == std::set<std::string>{"rope_parameters"};
}

/// Indices of predicates in the order in which they are asked: whole tests
/// before the operands they consist of.
class Order {
 public:
  explicit Order(Predicates& predicates) : predicates_(predicates) {}

  void add(const std::vector<Branch>& branches) {
    for (bool operand : {false, true}) {
      for (const Branch& branch : branches) {
        if (branch.operand == operand) {
          const int index = predicates_.index_of(branch.condition);
          if (index >= 0 && !asks_for_rope(predicates_.at(index).reads) &&
              seen_.insert(index).second) {
            order_.push_back(index);
          }
        }
      }
    }
  }
  /// Whether a parameter is None, asked where nothing so far decides.
  void add_parameter(const std::string& name) {
    const int index = predicates_.of_parameter(name);
    if (seen_.insert(index).second) {
      order_.push_back(index);
    }
  }
  const std::vector<int>& get() const {
    return order_;
  }

 private:
  Predicates& predicates_;
  std::set<int> seen_;
  std::vector<int> order_;
};

/// `names` with those of another order of classes put where they stand there:
/// before the class that follows them.
void weave(
    std::vector<std::string>& names,
    const std::vector<ClassText>& more) {
  std::vector<std::string> waiting;
  for (const ClassText& c : more) {
    const auto known = std::find(names.begin(), names.end(), c.name);
    if (known == names.end()) {
      if (std::find(waiting.begin(), waiting.end(), c.name) == waiting.end()) {
        waiting.push_back(c.name);
      }
      continue;
    }
    names.insert(known, waiting.begin(), waiting.end());
    waiting.clear();
  }
  names.insert(names.end(), waiting.begin(), waiting.end());
}

/// `self.x = args.y`: harmless where only some variants read it.
bool is_plain_field(const Statement& s) {
  static const base::Pattern kPlain(R"(self\.\w+ = args\.\w+)");
  return s.body.empty() && kPlain.match(s.text);
}

/// Plain fields that only some samples keep are kept by all.
void share_plain_fields(std::vector<Sample>& samples) {
  Block shared;
  std::set<std::string> in_all, in_some;
  for (size_t i = 0; i < samples.size(); ++i) {
    std::set<std::string> own;
    for (const Statement& s : samples[i].block) {
      if (is_plain_field(s)) {
        own.insert(s.text);
        if (in_some.insert(s.text).second) {
          shared.push_back(s);
        }
      }
    }
    if (i == 0) {
      in_all = own;
    }
    std::erase_if(
        in_all, [&](const auto& text) { return !own.contains(text); });
  }
  const auto name = [](const Statement& s) {
    return s.text.substr(0, s.text.find(" = "));
  };
  std::map<std::string, int> texts;  // by name: one may be of two fields
  for (const Statement& s : shared) {
    ++texts[name(s)];
  }
  std::erase_if(shared, [&](const Statement& s) {
    return in_all.contains(s.text) || texts[name(s)] > 1;
  });
  for (Sample& sample : samples) {
    std::erase_if(sample.block, [&](const Statement& s) {
      return std::find(shared.begin(), shared.end(), s) != shared.end();
    });
    const auto at = std::find_if_not(
        sample.block.begin(), sample.block.end(), [](const Statement& s) {
          return s.text == "self.args = args" ||
                 s.text == "self.model_type = args.model_type";
        });
    sample.block.insert(at, shared.begin(), shared.end());
  }
}

void resolve_marks(std::string& line, const std::set<std::string>& indexed) {
  for (size_t at = 0; at < line.size(); ++at) {
    if (line[at] != kIndexMark && line[at] != kLayerMark) {
      continue;
    }
    const size_t open = line.rfind('(', at);
    size_t begin = open;
    while (begin > 0 &&
           (std::isalnum(static_cast<unsigned char>(line[begin - 1])) ||
            line[begin - 1] == '_')) {
      --begin;
    }
    const bool needs = indexed.contains(line.substr(begin, open - begin));
    const char* argument =
        line[at] == kLayerMark ? ", layer_idx=i" : ", layer_idx";
    line.replace(at, 1, needs ? argument : "");
  }
}

}  // namespace

void pass_layer_index(std::vector<ClassText>& classes) {
  std::set<std::string> indexed;
  auto reads = [&](const std::string& line) {
    if (line.find("layer_idx") != std::string::npos) {
      return true;
    }
    return std::any_of(indexed.begin(), indexed.end(), [&](const auto& name) {
      return line.find(name + "(args" + kIndexMark) != std::string::npos;
    });
  };
  for (size_t known = classes.size() + 1; known != indexed.size();) {
    known = indexed.size();
    for (const ClassText& c : classes) {
      if (std::any_of(c.init.begin(), c.init.end(), reads)) {
        indexed.insert(c.name);
      }
    }
  }
  for (ClassText& c : classes) {
    if (indexed.contains(c.name)) {
      c.init_params.insert(c.init_params.begin() + 1, "layer_idx: int");
    }
    for (auto& line : c.init) {
      resolve_marks(line, indexed);
    }
  }
}

namespace {

/// Unknown where the layer makes it outside of the module.
Truth is_none_for(
    const Context& draft,
    const Frame& frame,
    const Carried& carried) {
  const Frame* layer = &frame;
  while (!carried.around.contains(layer)) {
    layer = layer->parent;
  }
  return carried.around.at(layer).first                 ? Truth::False
         : values_around(draft, frame, carried).empty() ? Truth::True
                                                        : Truth::Unknown;
}

class VariantMerger {
 public:
  VariantMerger(Predicates& predicates, const std::vector<Context*>& drafts)
      : predicates_(predicates), drafts_(drafts), everywhere_(predicates) {
    for (const Context* draft : drafts) {
      branches_.push_back(all_branches(draft->evaluation));
      everywhere_.add(branches_.back());
    }
  }

  std::vector<ClassText> run() {
    std::vector<std::string> names;
    for (const Context* draft : drafts_) {
      weave(names, draft->classes);
    }
    std::vector<ClassText> out;
    for (const auto& name : names) {
      out.push_back(merge_class(instances_of(name)));
    }
    pass_layer_index(out);
    return out;
  }

 private:
  std::vector<Instance> instances_of(const std::string& name) const {
    std::vector<Instance> out;
    for (size_t d = 0; d < drafts_.size(); ++d) {
      for (const ClassText& c : drafts_[d]->classes) {
        if (c.name == name) {
          out.push_back({&c, d, layer_of(*drafts_[d], c)});
        }
      }
    }
    return out;
  }

  static int64_t layer_of(const Context& draft, const ClassText& c) {
    const std::string prefix = draft.layers_path + ".";
    return c.frame && c.frame->path.starts_with(prefix)
               ? std::atoll(c.frame->path.c_str() + prefix.size())
               : -1;
  }

  const std::vector<Truth>& truths(const Instance& i) {
    auto [it, fresh] = truths_.try_emplace({i.draft, i.layer});
    for (size_t p = it->second.size(); p < predicates_.size(); ++p) {
      it->second.push_back(predicates_.truth(
          static_cast<int>(p), drafts_[i.draft]->evaluation.config, i.layer));
    }
    return it->second;
  }

  /// The variables of the loop over the layers that an instance is given, and
  /// whether they are None before any layer has made them.
  std::vector<std::pair<std::string, Truth>> nones_of(const Instance& i) const {
    std::vector<std::pair<std::string, Truth>> out;
    if (!i.text->frame || i.layer < 0) {
      return out;
    }
    const Context& draft = *drafts_[i.draft];
    for (const Carried* carried : taken_by(draft, *i.text->frame)) {
      out.emplace_back(
          carried->name, is_none_for(draft, *i.text->frame, *carried));
    }
    return out;
  }

  /// ... and what is None in this forward.
  std::vector<Truth> truths_of_call(const Instance& i) {
    std::vector<Truth> out = truths(i);
    for (const auto& [name, none] : nones_of(i)) {
      out[predicates_.of_parameter(name)] = none;
    }
    return out;
  }

  static bool same(const ClassText& a, const ClassText& b) {
    return a.init == b.init && a.call == b.call && a.methods == b.methods &&
           a.call_params == b.call_params && a.init_params == b.init_params;
  }

  /// What a forward only names to return it; "" where it does not.
  static std::string named_to_return(const std::vector<std::string>& lines) {
    if (lines.size() < 2 || !lines.back().starts_with("return ")) {
      return "";
    }
    const std::string name = lines.back().substr(7);
    return is_name(name) && lines[lines.size() - 2].starts_with(name + " = ")
               ? name
               : "";
  }

  /// Forwards of which some name what others return at once: all do that.
  static std::vector<std::string> returning(std::vector<std::string> lines) {
    if (const auto name = named_to_return(lines); !name.empty()) {
      lines.pop_back();
      lines.back() = "return " + lines.back().substr(name.size() + 3);
    }
    return lines;
  }

  /// How many lines it becomes.
  static size_t size_of(const Block& block) {
    struct : Conditions {
      std::string text(int, bool holds) override {
        return holds ? "x" : "not x";
      }
    } any;
    const Lines lines = lines_of(block, any);
    return lines.size() - std::count(lines.begin(), lines.end(), "");
  }

  ClassText merge_class(const std::vector<Instance>& instances) {
    ClassText out = *instances.front().text;
    if (std::all_of(instances.begin(), instances.end(), [&](const auto& i) {
          return same(*i.text, out);
        })) {
      return out;
    }
    Order order(predicates_);
    for (const Instance& i : instances) {
      if (i.text->frame) {
        order.add(branches_of(drafts_[i.draft]->evaluation, *i.text->frame));
      }
    }
    Order of_call = order;
    for (const Instance& i : instances) {
      for (const auto& [name, none] : nones_of(i)) {
        of_call.add_parameter(name);
      }
    }
    for (const auto& branches : branches_) {
      order.add(branches);
      of_call.add(branches);
    }
    for (const Instance& i : instances) {
      if (i.text->init_params != out.init_params ||
          i.text->returns_tensor != out.returns_tensor) {
        give_up(instances);
      }
    }
    merge_parameters(instances, out);
    auto merged = [&](bool init, const auto& lines_of_text) {
      std::vector<Sample> samples;
      for (const Instance& i : instances) {
        samples.push_back(
            {parse_block(lines_of_text(*i.text)),
             init ? truths(i) : truths_of_call(i)});
      }
      if (init) {
        share_plain_fields(samples);
      }
      return merge(samples, init ? order.get() : of_call.get());
    };
    const auto as_written = [](const ClassText& text) { return text.call; };
    auto call = merged(false, as_written);
    if (!call) {
      call = merged(
          false, [](const ClassText& text) { return returning(text.call); });
    }
    // Written alike, the forms may need fewer lines together.
    const bool differ =
        std::any_of(instances.begin(), instances.end(), [](const Instance& i) {
          return !rotates_by_cache(i.text->call);
        });
    for (const bool offset : {false, true}) {
      if (offset && !differ) {
        continue;  // all by the cache's, as mlx-lm has it
      }
      const auto alike = merged(false, [&](const ClassText& text) {
        Lines lines = with_moved_transposes(without_copies(text.call));
        return with_fewest_names(
            text.call_params,
            offset ? with_named_offset(std::move(lines)) : lines);
      });
      if (!call || (alike && size_of(*alike) < size_of(*call))) {
        call = alike;
      }
    }
    auto init = merged(true, [](const ClassText& text) { return text.init; });
    if (!call || !init) {
      give_up(instances);
    }
    std::vector<Value> modules;
    for (const Instance& i : instances) {
      modules.push_back(i.text->frame ? i.text->frame->module : Value());
    }
    Flags flags(*drafts_.front(), predicates_, modules, *init);
    flags.study(*call);
    out.call = lines_of(*call, flags);
    out.methods = merge_methods(instances, order.get(), flags);
    flags.add_to(*init);
    ArgsConditions conditions(*drafts_.front(), predicates_, "args.");
    out.init = lines_of(*init, conditions);
    return out;
  }

  /// The longest list of parameters; what others lack must have a default.
  static void merge_parameters(
      const std::vector<Instance>& instances,
      ClassText& out) {
    for (const Instance& i : instances) {
      if (i.text->call_params.size() > out.call_params.size()) {
        out.call_params = i.text->call_params;
      }
    }
    for (const Instance& i : instances) {
      auto at = out.call_params.begin();
      for (const auto& parameter : i.text->call_params) {
        while (at != out.call_params.end() && *at != parameter) {
          if (at->find(" = None") == std::string::npos) {
            give_up(instances);
          }
          ++at;
        }
        if (at++ == out.call_params.end()) {
          give_up(instances);
        }
      }
    }
  }

  static std::string name_of_method(const std::string& text) {
    const size_t at = text.find("def ");
    return text.substr(at, text.find('(', at) - at);
  }

  std::vector<std::string> merge_methods(
      const std::vector<Instance>& instances,
      const std::vector<int>& order,
      Conditions& conditions) {
    std::vector<std::string> names;
    for (const Instance& i : instances) {
      for (const auto& method : i.text->methods) {
        const std::string name = name_of_method(method);
        if (std::find(names.begin(), names.end(), name) == names.end()) {
          names.push_back(name);
        }
      }
    }
    std::vector<std::string> out;
    for (const auto& name : names) {
      std::vector<Sample> samples;
      for (const Instance& i : instances) {
        samples.push_back({parse_block(method_lines(i, name)), truths(i)});
      }
      auto block = merge(samples, order);
      if (!block) {
        give_up(instances);
      }
      std::string text;
      for (const auto& line : lines_of(*block, conditions)) {
        text += line + "\n";
      }
      if (name == "def make_cache" &&
          text.find("KVCache()") != std::string::npos) {
        drafts_.front()->imports.insert("cache:KVCache");
      }
      out.push_back(std::move(text));
    }
    return out;
  }

  static std::vector<std::string> method_lines(
      const Instance& instance,
      const std::string& name) {
    std::vector<std::string> out;
    for (const auto& method : instance.text->methods) {
      if (name_of_method(method) == name) {
        std::string line;
        for (char c : method) {
          if (c == '\n') {
            out.push_back(std::move(line));
            line.clear();
          } else {
            line += c;
          }
        }
        return out;
      }
    }
    // mlx-lm's own answer when a model has no make_cache.
    return name == "def make_cache"
               ? std::vector<
                     std::
                         string>{"def make_cache(self):", "    return [KVCache() for _ in self.layers]"}
               : out;
  }

  [[noreturn]] static void give_up(const std::vector<Instance>& instances) {
    const ClassText& a = *instances.front().text;
    for (const Instance& i : instances) {
      if (!same(*i.text, a) && i.text->frame && a.frame) {
        throw Hole{
            {diagnostics::Kind::UnsupportedStructure,
             "'" + i.text->frame->path + "' computes something else than '" +
                 a.frame->path + "', of the same class",
             i.text->frame->call,
             "no condition on the configuration tells them apart",
             "",
             {}}};
      }
    }
    throw Hole{
        {diagnostics::Kind::UnsupportedStructure,
         "'" + a.name + "' is not the same class everywhere",
         {},
         "no condition on the configuration tells its forms apart",
         "",
         {}}};
  }

  Predicates& predicates_;
  const std::vector<Context*>& drafts_;
  Order everywhere_;
  std::vector<std::vector<Branch>> branches_;  // by draft
  std::map<std::pair<size_t, int64_t>, std::vector<Truth>> truths_;
};

}  // namespace

std::vector<ClassText> merge_classes(
    Predicates& predicates,
    const std::vector<Context*>& drafts) {
  return VariantMerger(predicates, drafts).run();
}

}  // namespace portwright::emit

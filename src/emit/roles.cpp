#include "emit/backbone_parts.h"
#include "emit/stacks.h"

namespace portwright::emit {

using lift::uses_cache;

void for_each_module(
    const Frame& frame,
    const std::function<void(const Frame&)>& visit) {
  for (const auto& item : frame.items) {
    if (const auto* child = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if ((*child)->is_module()) {
        visit(**child);
      }
      for_each_module(**child, visit);
    }
  }
}

const Frame* module_around(const Frame* frame) {
  while (frame && !frame->is_module()) {
    frame = frame->parent;
  }
  return frame;
}

std::string list_path(const std::string& path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos || dot + 1 == path.size() ||
      !std::all_of(path.begin() + dot + 1, path.end(), [](char c) {
        return c >= '0' && c <= '9';
      })) {
    return "";
  }
  return path.substr(0, dot);
}

std::string path_below(const std::string& outer, const std::string& path) {
  return outer.empty() ? path : path.substr(outer.size() + 1);
}

std::string path_in(const std::string& outer, const std::string& name) {
  return outer.empty() ? name : name.empty() ? outer : outer + "." + name;
}

std::string Roles::layers_text(const std::string& owner) const {
  return access_text(owner, layers);
}

namespace {

/// Where the backbone calls a layer twice, or layers of several lists, all its
/// calls that attend are those of layers.
void find_program(Context& context, Roles& roles) {
  std::vector<const Frame*> calls = calls_in(*roles.backbone);
  std::erase_if(calls, [](const Frame* f) { return !uses_cache(*f); });
  std::set<std::string> paths;
  const bool again =
      std::any_of(calls.begin(), calls.end(), [&](const Frame* f) {
        return !paths.insert(f->path).second ||
               list_path(f->path) != list_path(calls[0]->path);
      });
  if (again) {
    roles.layer_frames = std::move(calls);
    roles.program = true;
    for (const Frame* f : roles.layer_frames) {
      const std::string list = list_path(f->path);
      context.more_layers.insert(list.empty() ? f->path : list);
    }
  }
}

/// The layers of the backbone, which holds them or stacks of them.
void find_layers(Context& context, Roles& roles) {
  const std::string list =
      roles.layers.empty() ? "" : path_in(roles.backbone->path, roles.layers);
  context.layers_path = list;
  const Frame* outer = module_around(roles.backbone->parent);
  if (outer && outer != roles.root) {
    roles.stack_calls = find_stack_calls(*outer);
  }
  if (roles.stack_calls.empty()) {
    for_each_module(*roles.backbone, [&](const Frame& f) {
      if (!list.empty() && list_path(f.path) == list) {
        roles.layer_frames.push_back(&f);
      }
    });
    find_program(context, roles);
    return;
  }
  roles.backbone = outer;
  for (const Frame* call : roles.stack_calls) {
    const auto more = layers_of(*call);
    roles.layer_frames.insert(
        roles.layer_frames.end(), more.begin(), more.end());
  }
}

/// Where no layer has a number: the module around the outermost one that it
/// calls several times.
const Frame* around_shared_layer(const Context& context) {
  std::set<std::pair<const Frame*, std::string>> calls;
  const Frame* found = nullptr;
  for_each_module(context.trace.root, [&](const Frame& f) {
    const Frame* around = module_around(f.parent);
    if (!found && around && uses_cache(f) &&
        !calls.emplace(around, f.path).second) {
      found = around;
    }
  });
  return found;
}

}  // namespace

Roles find_roles(Context& context) {
  Roles roles;
  for_each_module(context.trace.root, [&](const Frame& f) {
    if (!roles.root && f.path.empty()) {
      roles.root = &f;
    }
    if (roles.backbone || list_path(f.path).empty() || !uses_cache(f)) {
      return;
    }
    // The enclosing module's forward runs the layers.
    const Frame* around = module_around(f.parent);
    roles.backbone = around;
    roles.layers = path_below(around->path, list_path(f.path));
  });
  if (!roles.backbone) {
    roles.backbone = around_shared_layer(context);
  }
  if (!roles.root || !roles.backbone) {
    context.hole(
        roles.root ? roles.root->call : base::Span{},
        uses_cache(context.trace.root)
            ? "no chain of decoder layers was found in the model"
            : "the model keeps no keys and values in a cache, so that a port "
              "would have nothing to decode from");
  }
  find_layers(context, roles);
  for (const Frame* f = roles.backbone; f != roles.root; f = f->parent) {
    if (f->is_module() && f != roles.backbone) {
      roles.wrappers.insert(roles.wrappers.begin(), f);
    }
  }
  return roles;
}

}  // namespace portwright::emit

// std's panic and allocation-failure paths keep counters and hooks in writable statics, which the loader
// refuses, and format messages that nobody would read. Where such a path begins, the program aborts.
#include "passes.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace llvm;

// Parts of mangled names; a release of std that renames one is noticed, since its statics are then refused.
static const char *const Beginnings[] = {
    "rust_begin_unwind",        "___rust_start_panic", "9panicking11begin_panic",
    "9panicking13panic_handler", "24default_alloc_error_hook", "8rust_oom",
    "25___rdl_alloc_error_handler",
};

static bool beginsPanic(StringRef Name) {
  return any_of(Beginnings, [&](const char *Part) { return Name.contains(Part); });
}

static void giveBody(Function *F, Function *Abort, bool Returns) {
  F->deleteBody();
  F->setLinkage(GlobalValue::InternalLinkage);
  F->setComdat(nullptr);
  IRBuilder<> B(BasicBlock::Create(F->getContext(), "", F));
  if (Abort)
    B.CreateCall(Abort);
  if (Returns)
    B.CreateRetVoid();
  else
    B.CreateUnreachable();
}

PreservedAnalyses sbf::AbortOnPanic::run(Module &M, ModuleAnalysisManager &) {
  auto *Void = Type::getVoidTy(M.getContext());
  auto *Abort = cast<Function>(M.getOrInsertFunction("abort", Void).getCallee());
  for (auto &F : M) {
    if (&F == Abort)
      continue;
    if (!F.isDeclaration() && beginsPanic(F.getName()))
      giveBody(&F, Abort, false);
    else if (F.isDeclaration() && F.getName().contains("rust_no_alloc_shim"))
      giveBody(&F, nullptr, true); // only there to be linked
  }
  // the code generator calls it where control must not come; it may do so after the last pass, hence a root
  auto *Trap = cast<Function>(M.getOrInsertFunction("__bpf_trap", Void).getCallee());
  if (Trap->isDeclaration()) {
    giveBody(Trap, Abort, true);
    Trap->setLinkage(GlobalValue::ExternalLinkage);
  }
  return PreservedAnalyses::none();
}

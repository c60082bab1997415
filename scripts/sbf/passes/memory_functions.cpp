// The C memory functions that LLVM and core call by name. std has none for a target without a C library,
// and a loop over bytes would cost more than the runtime's functions.
#include "passes.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace llvm;

static Function *declared(Module &M, StringRef Name) {
  auto *F = M.getFunction(Name);
  if (!F || !F->isDeclaration())
    return nullptr;
  F->setLinkage(GlobalValue::InternalLinkage);
  return F;
}

// memcpy(a, b, n), memmove(a, b, n), memset(a, byte, n): return a
static void forward(Module &M, StringRef Name, StringRef Runtime, Type *Second) {
  auto *F = declared(M, Name);
  if (!F)
    return;
  auto &C = M.getContext();
  IRBuilder<> B(BasicBlock::Create(C, "", F));
  Value *A = F->getArg(0), *X = F->getArg(1), *Length = F->getArg(2);
  if (Second->isIntegerTy())
    X = B.CreateZExtOrTrunc(X, Second);
  auto Callee = M.getOrInsertFunction(Runtime, B.getVoidTy(), B.getPtrTy(), Second, B.getInt64Ty());
  B.CreateCall(Callee, {A, X, Length});
  B.CreateRet(A);
}

// memcmp(a, b, n): the runtime writes the result through a fourth argument
static void compare(Module &M, StringRef Name) {
  auto *F = declared(M, Name);
  if (!F)
    return;
  IRBuilder<> B(BasicBlock::Create(M.getContext(), "", F));
  auto *P = B.getPtrTy();
  auto *Result = B.CreateAlloca(B.getInt32Ty());
  auto Callee = M.getOrInsertFunction("sol_memcmp_", B.getVoidTy(), P, P, B.getInt64Ty(), P);
  B.CreateCall(Callee, {F->getArg(0), F->getArg(1), F->getArg(2), Result});
  B.CreateRet(B.CreateLoad(B.getInt32Ty(), Result));
}

PreservedAnalyses sbf::MemoryFunctions::run(Module &M, ModuleAnalysisManager &) {
  auto &C = M.getContext();
  auto *P = PointerType::get(C, 0);
  forward(M, "memcpy", "sol_memcpy_", P);
  forward(M, "memmove", "sol_memmove_", P);
  forward(M, "memset", "sol_memset_", Type::getInt8Ty(C));
  compare(M, "memcmp");
  compare(M, "bcmp");
  return PreservedAnalyses::none();
}

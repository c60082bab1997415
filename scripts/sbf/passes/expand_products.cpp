// sBPF multiplies 64 bits by 64 bits to 64 bits. Wider products, which LLVM would ask a library for, are
// written out here, schoolbook, as are the overflow checks that need the upper half of a product.
#include "passes.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace {
struct Halves {
  Value *Low, *High;
};
struct Checked {
  Value *Product, *Overflow;
};
} // namespace

// 64 x 64 -> 128 bits from four products of 32-bit halves. No sum overflows: each has at most three terms
// below 2^32 and a product below 2^64 - 2^33.
static Halves mul64(IRBuilder<> &B, Value *A, Value *X) {
  auto *Mask = B.getInt64(0xffffffff);
  Value *A0 = B.CreateAnd(A, Mask), *A1 = B.CreateLShr(A, 32);
  Value *X0 = B.CreateAnd(X, Mask), *X1 = B.CreateLShr(X, 32);
  Value *P00 = B.CreateMul(A0, X0), *P01 = B.CreateMul(A0, X1);
  Value *P10 = B.CreateMul(A1, X0), *P11 = B.CreateMul(A1, X1);
  Value *Middle = B.CreateAdd(B.CreateAdd(B.CreateLShr(P00, 32), B.CreateAnd(P01, Mask)), B.CreateAnd(P10, Mask));
  Value *Low = B.CreateOr(B.CreateAnd(P00, Mask), B.CreateShl(Middle, 32));
  Value *High = B.CreateAdd(B.CreateAdd(P11, B.CreateLShr(P01, 32)),
                            B.CreateAdd(B.CreateLShr(P10, 32), B.CreateLShr(Middle, 32)));
  return {Low, High};
}

// Any width over 64 bits, over limbs of 64 bits, modulo 2^width.
static Value *mulWide(IRBuilder<> &B, Value *A, Value *X) {
  auto *Width = A->getType();
  unsigned N = divideCeil(Width->getIntegerBitWidth(), 64);
  auto *Full = B.getIntNTy(64 * N);
  auto *Limb = B.getInt64Ty();
  A = B.CreateZExt(A, Full), X = B.CreateZExt(X, Full);
  SmallVector<Value *> As, Xs, Sum(N, B.getInt64(0));
  for (unsigned K = 0; K < N; K++) {
    As.push_back(B.CreateTrunc(B.CreateLShr(A, 64 * K), Limb));
    Xs.push_back(B.CreateTrunc(B.CreateLShr(X, 64 * K), Limb));
  }
  auto Add = [&](unsigned At, Value *V) {
    for (unsigned K = At; K < N; K++) {
      Sum[K] = B.CreateAdd(Sum[K], V);
      V = B.CreateZExt(B.CreateICmpULT(Sum[K], V), Limb);
    }
  };
  for (unsigned P = 0; P < N; P++)
    for (unsigned Q = 0; P + Q < N; Q++) {
      auto [Low, High] = mul64(B, As[P], Xs[Q]);
      Add(P + Q, Low);
      if (P + Q + 1 < N)
        Add(P + Q + 1, High);
    }
  Value *Out = ConstantInt::get(Full, 0);
  for (unsigned K = 0; K < N; K++)
    Out = B.CreateOr(Out, B.CreateShl(B.CreateZExt(Sum[K], Full), 64 * K));
  return B.CreateTrunc(Out, Width);
}

static Checked unsigned64(IRBuilder<> &B, Value *A, Value *X) {
  auto [Low, High] = mul64(B, A, X);
  return {Low, B.CreateICmpNE(High, B.getInt64(0))};
}

// The signed upper half is the unsigned one less each factor where the other is negative; the product fits
// when the upper half is nothing but the sign of the lower one.
static Checked signed64(IRBuilder<> &B, Value *A, Value *X) {
  auto [Low, High] = mul64(B, A, X);
  Value *Upper = B.CreateSub(B.CreateSub(High, B.CreateAnd(B.CreateAShr(A, 63), X)),
                             B.CreateAnd(B.CreateAShr(X, 63), A));
  return {Low, B.CreateICmpNE(Upper, B.CreateAShr(Low, 63))};
}

// (ah 2^64 + al)(xh 2^64 + xl): overflows when both upper halves count, when a cross product has an upper
// half, or when the upper limb of the sum carries.
static Checked unsigned128(IRBuilder<> &B, Value *A, Value *X) {
  auto *Limb = B.getInt64Ty();
  auto *Zero = B.getInt64(0);
  auto *Width = A->getType();
  Value *AL = B.CreateTrunc(A, Limb), *AH = B.CreateTrunc(B.CreateLShr(A, 64), Limb);
  Value *XL = B.CreateTrunc(X, Limb), *XH = B.CreateTrunc(B.CreateLShr(X, 64), Limb);
  auto [L0, H0] = mul64(B, AL, XL);
  auto [L1, H1] = mul64(B, AL, XH);
  auto [L2, H2] = mul64(B, AH, XL);
  Value *Both = B.CreateAnd(B.CreateICmpNE(AH, Zero), B.CreateICmpNE(XH, Zero));
  Value *Cross = B.CreateAdd(L1, L2); // carries only when both upper halves count
  Value *High = B.CreateAdd(H0, Cross), *Carry = B.CreateICmpULT(High, H0);
  Value *Upper = B.CreateICmpNE(B.CreateOr(H1, H2), Zero);
  Value *Overflow = B.CreateOr(B.CreateOr(Both, Upper), Carry);
  return {B.CreateOr(B.CreateZExt(L0, Width), B.CreateShl(B.CreateZExt(High, Width), 64)), Overflow};
}

// Through the absolute values, which fit as unsigned numbers: the largest is 2^127, allowed when negative.
static Checked signed128(IRBuilder<> &B, Value *A, Value *X) {
  auto Absolute = [&](Value *V, Value *Sign) { return B.CreateSub(B.CreateXor(V, Sign), Sign); };
  Value *SignA = B.CreateAShr(A, 127), *SignX = B.CreateAShr(X, 127), *Sign = B.CreateXor(SignA, SignX);
  auto [Product, Overflow] = unsigned128(B, Absolute(A, SignA), Absolute(X, SignX));
  // 2^127 - 1 where the sign is 0, 2^127 where it is -1
  Value *Limit = B.CreateSub(ConstantInt::get(A->getType(), APInt::getSignedMaxValue(128)), Sign);
  return {Absolute(Product, Sign), B.CreateOr(Overflow, B.CreateICmpUGT(Product, Limit))};
}

static Value *checkedProduct(IRBuilder<> &B, IntrinsicInst *I) {
  bool Signed = I->getIntrinsicID() == Intrinsic::smul_with_overflow;
  Value *A = I->getArgOperand(0), *X = I->getArgOperand(1);
  Checked R;
  if (A->getType()->isIntegerTy(64))
    R = Signed ? signed64(B, A, X) : unsigned64(B, A, X);
  else if (A->getType()->isIntegerTy(128))
    R = Signed ? signed128(B, A, X) : unsigned128(B, A, X);
  else
    return nullptr; // narrower ones fit in a register; the backend refuses others
  Value *Pair = B.CreateInsertValue(PoisonValue::get(I->getType()), R.Product, 0);
  return B.CreateInsertValue(Pair, R.Overflow, 1);
}

static Value *expanded(Instruction *I) {
  IRBuilder<> B(I);
  if (I->getOpcode() == Instruction::Mul && I->getType()->isIntegerTy() && I->getType()->getIntegerBitWidth() > 64)
    return mulWide(B, I->getOperand(0), I->getOperand(1));
  if (auto *Call = dyn_cast<IntrinsicInst>(I))
    if (Call->getIntrinsicID() == Intrinsic::umul_with_overflow ||
        Call->getIntrinsicID() == Intrinsic::smul_with_overflow)
      return checkedProduct(B, Call);
  return nullptr;
}

PreservedAnalyses sbf::ExpandProducts::run(Module &M, ModuleAnalysisManager &) {
  for (auto &F : M) {
    SmallVector<Instruction *> All;
    for (auto &I : instructions(F))
      All.push_back(&I);
    for (auto *I : All)
      if (auto *New = expanded(I)) {
        I->replaceAllUsesWith(New);
        I->eraseFromParent();
      }
  }
  return PreservedAnalyses::none();
}

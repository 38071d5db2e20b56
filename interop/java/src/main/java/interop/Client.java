package interop;

public final class Client { public static void main(String[] args) { System.out.println(lro.v1.Kinds.SimulateRequest.getDescriptor().getFullName()); } }

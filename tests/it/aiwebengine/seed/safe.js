function safeHandler(req) {
  try {
    // Your logic here
    sendStreamMessage({ type: "success", data: result });
    return { status: 200, body: "OK" };
  } catch (error) {
    writeLog("Error in handler: " + error.message);
    sendStreamMessage({
      type: "error",
      message: "Something went wrong",
      timestamp: new Date().toISOString(),
    });
    return { status: 500, body: "Error occurred" };
  }
}

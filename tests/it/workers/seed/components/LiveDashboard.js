// components/LiveDashboard.js
export default function LiveDashboard({ initialData }) {
  return (
    <div className="live-dashboard">
      <h1>Live Dashboard</h1>
      
      {/* Static initial content */}
      <div className="initial-stats">
        <StatCard title="Users" value={initialData.userCount} />
        <StatCard title="Revenue" value={initialData.revenue} />
      </div>
      
      {/* Live updating content */}
      <LiveMetrics />
      <LiveChart />
      <ActivityFeed />
    </div>
  );
}
